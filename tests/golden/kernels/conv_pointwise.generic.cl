// Pointwise (1x1, stride 1) convolution as a register-tiled matrix product.
// x, y: strided blocks of V channels, pixels flattened (SY = W * SX, or W = 1); w: [OC / (OB * V)][IC][OB * V].
// One work-item computes PX pixels, APART from each other, x OB blocks of V output channels; APART tiles, which are interleaved, are
// neighbours. The last of them are shifted back to end at the last pixel, and store only what those before do not.
#define V 4  // channels of a block
#define IC 17  // input channels
#define OCB 9  // blocks of output channels, ceil(OC / V)
#define PIXELS 99  // pixels of an image, height * width
#define PX 1  // tile: pixels
#define APART 8  // tiles that are interleaved; APART * PX is at most PIXELS
#define OB 1  // tile: blocks of output channels
#define RUN 1  // tiles that a work-item computes, one after another
#define TILES ((PIXELS + APART * PX - 1) / (APART * PX) * APART)
#define UNROLL 4  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 0  // vectors of the next tile of channels' weights, fetched with each block of input channels
#define EARLY 0  // blocks of input channels by which a tile's pixels are fetched before they are needed; 0: not at all
#define STAGED 1  // a tile's pixels are loaded by vectors, before their channels are taken one by one
#if AHEAD || EARLY
// PREFETCH(p): the line of memory at p will be wanted soon. OpenCL's own prefetch does nothing on the drivers for CPUs.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif
#endif
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 1980
#define X_SC 396
#define X_SY 44
#define X_SX 4
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload4(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 3564
#define Y_SC 396
#define Y_SY 44
#define Y_SX 4
#define X_SP X_SX  // stride of a pixel: images of width 1 are walked row by row

__attribute__((reqd_work_group_size(64, 1, 1)))
__kernel void conv_pointwise_d7ef544e(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int begin = tile / APART * APART * PX, first = min(begin, PIXELS - APART * PX) + tile % APART;
        floatV acc[OB][PX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                acc[b][p] = 0;

        int wi = ob * IC * OB * V;
        for (int c = 0; c < IC; c += V) {
            const int xi = X_OFFSET + n * X_SN + c / V * X_SC + first * X_SP;
            float staged[PX][V];
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                vstore4(LOADV_X(xi + p * APART * X_SP), 0, staged[p]);
#if EARLY
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                PREFETCH(x + xi + EARLY * X_SC + p * APART * X_SP);
#endif
#if AHEAD
            #pragma unroll
            for (int k = 0; k < AHEAD; ++k)
                PREFETCH(w + (ob + 1) * IC * OB * V + ((tile * ((IC + V - 1) / V) + c / V) * AHEAD + k) * V);
#endif
            const int lanes = IC % V ? min(V, IC - c) : V;
            __attribute__((opencl_unroll_hint(UNROLL)))
            for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                floatV wv[OB];
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    wv[b] = LOADV_W(wi + b * V);
                #pragma unroll
                for (int p = 0; p < PX; ++p) {
                    const floatV xv = staged[p][lane];
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        acc[b][p] = fma(xv, wv[b], acc[b][p]);
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                if (first + p * APART >= begin && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    const float4 t0 = vload4(0, e0 + ((ob * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((ob * OB + b)) * 4 + 4 <= 33 ? vload4(0, e1 + (0) * 363 + ((first + p * APART)) * 33 + (((ob * OB + b)) * 4)) : (float4)((((ob * OB + b)) * 4 + 0 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 4 + 0))] : 0), (((ob * OB + b)) * 4 + 1 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 4 + 1))] : 0), (((ob * OB + b)) * 4 + 2 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 4 + 2))] : 0), (((ob * OB + b)) * 4 + 3 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(33 - (((ob * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + (0) * 44 + ((first + p * APART)) * 4 + ((ob * OB + b)) * 396);
}
                }
    }
}
