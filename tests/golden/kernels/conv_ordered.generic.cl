// Dense KY x KX convolution that adds one product after another, each rounded before: row by row of the window, pixel by pixel,
// channel by channel. Register-tiled.
// x, y: strided blocks of V channels, or x plain NHWC; w: [OC / (OB * V)][KY][KX][IC][OB * V].
// begin: [OC / (OB * V)][OB * V], what the sums begin with.
// One work-item computes TX pixels of a row x OB blocks of V output channels. The last tile of a row is shifted back to end at the
// image's edge, and stores only what its neighbour does not.
#pragma OPENCL FP_CONTRACT OFF
#define V 4  // channels of a block
#define IC 17  // input channels
#define OCB 9  // blocks of output channels, ceil(OC / V)
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
#define RUN 1  // tiles that a work-item computes, one after another
#define UNROLL 4  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define TILES_X ((OW + TX - 1) / TX)
#define TILES (OH * TILES_X)
#define PAD_RIGHT ((OW - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1 - PAD_LEFT - IW)
// Whether a column lies inside the image; without padding there is nothing to test.
#define INSIDE(column) ((PAD_LEFT <= 0 || (column) >= 0) && (PAD_RIGHT <= 0 || (column) < IW))
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
#define BEGIN_T float
#define LOAD_BEGIN(i) begin[(i)]
#define LOADV_BEGIN(i) vload4(0, begin + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 3564
#define Y_SC 396
#define Y_SY 44
#define Y_SX 4

__attribute__((reqd_work_group_size(64, 1, 1)))
__kernel void conv_ordered_35c3abc2(__global const X_T *restrict x, __global const float *restrict w, __global const BEGIN_T *restrict begin, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
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
    const float4 t0 = vload4(0, e0 + ((ob * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((ob * OB + b)) * 4 + 4 <= 33 ? vload4(0, e1 + oy * 363 + ((ox + p)) * 33 + (((ob * OB + b)) * 4)) : (float4)((((ob * OB + b)) * 4 + 0 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 4 + 0))] : 0), (((ob * OB + b)) * 4 + 1 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 4 + 1))] : 0), (((ob * OB + b)) * 4 + 2 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 4 + 2))] : 0), (((ob * OB + b)) * 4 + 3 < 33 ? e1[oy * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(33 - (((ob * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 44 + ((ox + p)) * 4 + ((ob * OB + b)) * 396);
}
                }
    }
}
