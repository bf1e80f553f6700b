// Transposed KY x KX convolution, dense or grouped, in gather form: every output pixel collects the taps that reach it.
// x, y: strided blocks of V channels; w: [OC / (OB * V)][BAND][KY][KX][V][OB * V], the band of input channels as in conv_direct.
// Pixels of a row fall into STRIDE_X phases; those of one phase meet the same taps and neighbouring input pixels. One
// work-item computes TX pixels of one phase of one row x OB blocks of V output channels.
#define V 4  // channels of a block
#define IC 17  // input channels
#define OCB 2  // blocks of output channels, ceil(OC / V)
#define BAND 5  // blocks of input channels that a tile reads; all of them without groups
#define IPG 17  // input channels of a group
#define OPG 5  // output channels of a group
#define IH 5  // input height
#define IW 6  // input width
#define OH 10  // output height
#define OW 12  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 2
#define STRIDE_X 2
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 0
#define PAD_LEFT 0
#define TX 1  // tile: pixels of a phase of a row
#define OB 1  // tile: blocks of output channels
#define RUN 1  // tiles that a work-item computes, one after another
#define UNROLL 4  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define PHASE_TILES (((OW + STRIDE_X - 1) / STRIDE_X + TX - 1) / TX)  // tiles of a phase of a row
#define TILES (OH * STRIDE_X * PHASE_TILES)
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 600
#define X_SC 120
#define X_SY 24
#define X_SX 4
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload4(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 960
#define Y_SC 480
#define Y_SY 48
#define Y_SX 4

__attribute__((reqd_work_group_size(64, 1, 1)))
__kernel void conv_transposed_51015272(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int first = tile % PHASE_TILES * TX;
        const int phase = tile / PHASE_TILES % STRIDE_X;
        const int oy = tile / PHASE_TILES / STRIDE_X;
        floatV acc[OB][TX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                acc[b][p] = 0;

        const int band = min(ob * OB * V / OPG * IPG / V, (IC + V - 1) / V - BAND) * V;
        for (int ky = 0; ky < KY; ++ky) {
            const int up = oy + PAD_TOP - ky * DILATION_Y;
            if (up % STRIDE_Y != 0 || up < 0 || up / STRIDE_Y >= IH) continue;
            for (int kx = 0; kx < KX; ++kx) {
                const int left = phase + PAD_LEFT - kx * DILATION_X;
                if (left % STRIDE_X != 0) continue;
                const int ix = left / STRIDE_X + first;
                for (int c = band; c < min(band + BAND * V, IC); c += V) {
                    const int xi = X_OFFSET + n * X_SN + c / V * X_SC + up / STRIDE_Y * X_SY;
                    float segment[TX][V];
                    for (int p = 0; p < TX; ++p) {
                        const floatV xv = ix + p >= 0 && ix + p < IW ? LOADV_X(xi + (ix + p) * X_SX) : (floatV)0;
                        vstore4(xv, 0, segment[p]);
                    }
                    int wi = (((ob * BAND + (c - band) / V) * KY + ky) * KX + kx) * V * OB * V;
                    const int lanes = min(V, IC - c);
                    __attribute__((opencl_unroll_hint(UNROLL)))
                    for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                        floatV wv[OB];
                        #pragma unroll
                        for (int b = 0; b < OB; ++b)
                            wv[b] = LOADV_W(wi + b * V);
                        #pragma unroll
                        for (int p = 0; p < TX; ++p) {
                            const floatV xv = segment[p][lane];
                            #pragma unroll
                            for (int b = 0; b < OB; ++b)
                                acc[b][p] = fma(xv, wv[b], acc[b][p]);
                        }
                    }
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p) {
                const int ox = phase + (first + p) * STRIDE_X;
                if (ox < OW && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    const float4 t0 = vload4(0, e0 + ((ob * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((ob * OB + b)) * 4 + 4 <= 5 ? vload4(0, e1 + oy * 60 + ox * 5 + (((ob * OB + b)) * 4)) : (float4)((((ob * OB + b)) * 4 + 0 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 4 + 0))] : 0), (((ob * OB + b)) * 4 + 1 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 4 + 1))] : 0), (((ob * OB + b)) * 4 + 2 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 4 + 2))] : 0), (((ob * OB + b)) * 4 + 3 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(5 - (((ob * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 48 + ox * 4 + ((ob * OB + b)) * 480);
}
                }
            }
    }
}
