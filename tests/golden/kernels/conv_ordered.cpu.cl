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

// Dense KY x KX convolution that adds one product after another, each rounded before: row by row of the window, pixel by pixel,
// channel by channel. Register-tiled.
// x, y: strided blocks of V channels, or x plain NHWC; w: [OC / (OB * V)][KY][KX][IC][OB * V].
// begin: [OC / (OB * V)][OB * V], what the sums begin with.
// One work-item computes TX pixels of a row x OB blocks of V output channels. The last tile of a row is shifted back to end at the
// image's edge, and stores only what its neighbour does not.
#pragma OPENCL FP_CONTRACT OFF
#define V 16  // channels of a block
#define IC 17  // input channels
#define OCB 3  // blocks of output channels, ceil(OC / V)
#define IH 9  // input height
#define IW 11  // input width
#define OH 9  // output height
#define OW 11  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 1
#define STRIDE_X 1
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 1
#define PAD_LEFT 1
#define TX 1  // tile: pixels of a row, at most OW
#define OB 1  // tile: blocks of output channels
#define RUN 10  // tiles that a work-item computes, one after another
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define TILES_X ((OW + TX - 1) / TX)
#define TILES (OH * TILES_X)
#define PAD_RIGHT ((OW - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1 - PAD_LEFT - IW)
// Whether a column lies inside the image; without padding there is nothing to test.
#define INSIDE(column) ((PAD_LEFT <= 0 || (column) >= 0) && (PAD_RIGHT <= 0 || (column) < IW))
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 3168
#define X_SC 1584
#define X_SY 176
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload16(0, w + (i))
#define BEGIN_T float
#define LOAD_BEGIN(i) begin[(i)]
#define LOADV_BEGIN(i) vload16(0, begin + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 4752
#define Y_SC 1584
#define Y_SY 176
#define Y_SX 16

__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void conv_ordered_f0193776(__global const X_T *restrict x, __global const float *restrict w, __global const BEGIN_T *restrict begin, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int oy = tile / TILES_X, tile_x = tile % TILES_X * TX, ox = min(tile_x, OW - TX);
        floatV acc[OB][TX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                acc[b][p] = LOADV_BEGIN((ob * OB + b) * V);

        for (int ky = 0; ky < KY; ++ky) {
            const int row = oy * STRIDE_Y - PAD_TOP + ky * DILATION_Y;
            if (row < 0 || row >= IH) continue;
            for (int kx = 0; kx < KX; ++kx) {
                const int column = ox * STRIDE_X - PAD_LEFT + kx * DILATION_X;
                int wi = ((ob * KY + ky) * KX + kx) * IC * OB * V;
                for (int c = 0; c < IC; c += V) {
                    const int xi = X_OFFSET + n * X_SN + c / V * X_SC + row * X_SY + column * X_SX;
                    const int lanes = IC % V ? min(V, IC - c) : V;
                    __attribute__((opencl_unroll_hint(UNROLL)))
                    for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                        floatV wv[OB];
                        #pragma unroll
                        for (int b = 0; b < OB; ++b)
                            wv[b] = LOADV_W(wi + b * V);
                        #pragma unroll
                        for (int p = 0; p < TX; ++p) {
                            const floatV xv = INSIDE(column + p * STRIDE_X) ? LOAD_X(xi + p * STRIDE_X * X_SX + lane) : 0;
                            #pragma unroll
                            for (int b = 0; b < OB; ++b)
                                acc[b][p] += xv * wv[b];
                        }
                    }
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                if (ox + p >= tile_x && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    const float16 t0 = vload16(0, e0 + ((ob * OB + b)) * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (((ob * OB + b)) * 16 + 16 <= 33 ? vload16(0, e1 + oy * 363 + ((ox + p)) * 33 + (((ob * OB + b)) * 16)) : (float16)((((ob * OB + b)) * 16 + 0 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 0))] : 0), (((ob * OB + b)) * 16 + 1 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 1))] : 0), (((ob * OB + b)) * 16 + 2 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 2))] : 0), (((ob * OB + b)) * 16 + 3 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 3))] : 0), (((ob * OB + b)) * 16 + 4 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 4))] : 0), (((ob * OB + b)) * 16 + 5 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 5))] : 0), (((ob * OB + b)) * 16 + 6 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 6))] : 0), (((ob * OB + b)) * 16 + 7 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 7))] : 0), (((ob * OB + b)) * 16 + 8 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 8))] : 0), (((ob * OB + b)) * 16 + 9 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 9))] : 0), (((ob * OB + b)) * 16 + 10 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 10))] : 0), (((ob * OB + b)) * 16 + 11 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 11))] : 0), (((ob * OB + b)) * 16 + 12 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 12))] : 0), (((ob * OB + b)) * 16 + 13 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 13))] : 0), (((ob * OB + b)) * 16 + 14 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 14))] : 0), (((ob * OB + b)) * 16 + 15 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(33 - (((ob * OB + b)) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + oy * 176 + ((ox + p)) * 16 + ((ob * OB + b)) * 1584);
}
                }
    }
}
