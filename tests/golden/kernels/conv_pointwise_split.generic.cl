// Pointwise (1x1, stride 1) convolution of few results: the work-items of a group share the sums over input channels ("split-K"),
// for with a tile each there would be fewer of them than the device runs at a time.
// x, y: strided blocks of V channels, pixels flattened (SY = W * SX, or W = 1); w: [OC / (OB * V)][IC][OB * V].
// A group computes PX pixels x OB blocks of V output channels; the last tile of pixels is shifted back to end at the last
// pixel, and stores only what its neighbour does not.
#define V 4  // channels of a block
#define IC 33  // input channels
#define OCB 9  // blocks of output channels, ceil(OC / V)
#define PIXELS 15  // pixels of an image, height * width
#define PX 1  // tile: pixels, at most PIXELS
#define OB 1  // tile: blocks of output channels
#define SPLIT 8  // work-items of a group, each of which sums every SPLIT-th block of input channels
#define STAGED 1  // a tile's pixels are loaded by vectors, before their channels are taken one by one
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 540
#define X_SC 60
#define X_SY 20
#define X_SX 4
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload4(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 540
#define Y_SC 60
#define Y_SY 20
#define Y_SX 4
#define X_SP X_SX  // stride of a pixel: images of width 1 are walked row by row

__attribute__((reqd_work_group_size(8, 1, 1)))
__kernel void conv_pointwise_split_f57247e6(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    __local floatV sums[SPLIT][OB * PX];
    const int part = get_local_id(0), tile = get_group_id(0), ob = get_global_id(1), n = get_global_id(2);
    const int first = min(tile * PX, PIXELS - PX);
    floatV acc[OB * PX];
    #pragma unroll
    for (int k = 0; k < OB * PX; ++k)
        acc[k] = 0;

    for (int c = part * V; c < IC; c += SPLIT * V) {
        const int xi = X_OFFSET + n * X_SN + c / V * X_SC + first * X_SP;
        float staged[PX][V];
        #pragma unroll
        for (int p = 0; p < PX; ++p)
            vstore4(LOADV_X(xi + p * X_SP), 0, staged[p]);
        const int lanes = IC % V ? min(V, IC - c) : V;
        __attribute__((opencl_unroll_hint(V)))
        for (int lane = 0; lane < lanes; ++lane) {
            floatV wv[OB];
            #pragma unroll
            for (int b = 0; b < OB; ++b)
                wv[b] = LOADV_W(((ob * IC + c + lane) * OB + b) * V);
            #pragma unroll
            for (int p = 0; p < PX; ++p) {
                const floatV xv = staged[p][lane];
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    acc[b * PX + p] = fma(xv, wv[b], acc[b * PX + p]);
            }
        }
    }

    #pragma unroll
    for (int k = 0; k < OB * PX; ++k)
        sums[part][k] = acc[k];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = part; k < OB * PX; k += SPLIT) {
        const int b = k / PX, p = k % PX;
        if (first + p >= tile * PX && ob * OB + b < OCB) {
            floatV v = sums[0][k];
            for (int other = 1; other < SPLIT; ++other)
                v += sums[other][k];
            {
    const float4 t0 = vload4(0, e0 + ((ob * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((ob * OB + b)) * 4 + 4 <= 33 ? vload4(0, e1 + (0) * 165 + ((first + p)) * 33 + (((ob * OB + b)) * 4)) : (float4)((((ob * OB + b)) * 4 + 0 < 33 ? e1[(0) * 165 + ((first + p)) * 33 + ((((ob * OB + b)) * 4 + 0))] : 0), (((ob * OB + b)) * 4 + 1 < 33 ? e1[(0) * 165 + ((first + p)) * 33 + ((((ob * OB + b)) * 4 + 1))] : 0), (((ob * OB + b)) * 4 + 2 < 33 ? e1[(0) * 165 + ((first + p)) * 33 + ((((ob * OB + b)) * 4 + 2))] : 0), (((ob * OB + b)) * 4 + 3 < 33 ? e1[(0) * 165 + ((first + p)) * 33 + ((((ob * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(33 - (((ob * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + (0) * 20 + ((first + p)) * 4 + ((ob * OB + b)) * 60);
}
        }
    }
}
