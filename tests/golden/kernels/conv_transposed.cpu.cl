static float16 near_sigmoid16(float16 x) {
    float16 c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float16)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float16)(126.0f) : c;
    const float16 n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float16 p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float16 d = 1.0f + as_float16(as_int16(p) + (as_int16(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float16)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Transposed KY x KX convolution, dense or grouped, in gather form: every output pixel collects the taps that reach it.
// x, y: strided blocks of V channels; w: [OC / (OB * V)][BAND][KY][KX][V][OB * V], the band of input channels as in conv_direct.
// Pixels of a row fall into STRIDE_X phases; those of one phase meet the same taps and neighbouring input pixels. One
// work-item computes TX pixels of one phase of one row x OB blocks of V output channels.
#define V 16  // channels of a block
#define IC 17  // input channels
#define OCB 1  // blocks of output channels, ceil(OC / V)
#define BAND 2  // blocks of input channels that a tile reads; all of them without groups
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
#define RUN 6  // tiles that a work-item computes, one after another
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define PHASE_TILES (((OW + STRIDE_X - 1) / STRIDE_X + TX - 1) / TX)  // tiles of a phase of a row
#define TILES (OH * STRIDE_X * PHASE_TILES)
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 960
#define X_SC 480
#define X_SY 96
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload16(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 1920
#define Y_SC 1920
#define Y_SY 192
#define Y_SX 16

__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void conv_transposed_324fa21a(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
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
                        vstore16(xv, 0, segment[p]);
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
    const float16 t0 = vload16(0, e0 + ((ob * OB + b)) * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (((ob * OB + b)) * 16 + 16 <= 5 ? vload16(0, e1 + oy * 60 + ox * 5 + (((ob * OB + b)) * 16)) : (float16)((((ob * OB + b)) * 16 + 0 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 0))] : 0), (((ob * OB + b)) * 16 + 1 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 1))] : 0), (((ob * OB + b)) * 16 + 2 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 2))] : 0), (((ob * OB + b)) * 16 + 3 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 3))] : 0), (((ob * OB + b)) * 16 + 4 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 4))] : 0), (((ob * OB + b)) * 16 + 5 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 5))] : 0), (((ob * OB + b)) * 16 + 6 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 6))] : 0), (((ob * OB + b)) * 16 + 7 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 7))] : 0), (((ob * OB + b)) * 16 + 8 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 8))] : 0), (((ob * OB + b)) * 16 + 9 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 9))] : 0), (((ob * OB + b)) * 16 + 10 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 10))] : 0), (((ob * OB + b)) * 16 + 11 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 11))] : 0), (((ob * OB + b)) * 16 + 12 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 12))] : 0), (((ob * OB + b)) * 16 + 13 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 13))] : 0), (((ob * OB + b)) * 16 + 14 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 14))] : 0), (((ob * OB + b)) * 16 + 15 < 5 ? e1[oy * 60 + ox * 5 + ((((ob * OB + b)) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(5 - (((ob * OB + b)) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + oy * 192 + ox * 16 + ((ob * OB + b)) * 1920);
}
                }
            }
    }
}
