// KY x KX convolution of few input channels (an image), register-tiled.
// x: plain NHWC, IC <= 4 or so; y: strided blocks of V channels; w: [OC / (OB * V)][KY][KX][IC][OB * V].
// One work-item computes TX pixels of a row x OB blocks of V output channels. Per kernel row it stages the input pixels
// under the tile in private memory, zero outside the image, so the inner loops have no bounds. The last tile of a row is
// shifted back to end at the image's edge, and stores only what its neighbour does not.
#define V 4  // channels of a block
#define IC 3  // input channels
#define OCB 5  // blocks of output channels, ceil(OC / V)
#define IH 9  // input height
#define IW 11  // input width
#define OH 5  // output height
#define OW 6  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 2
#define STRIDE_X 2
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 1
#define PAD_LEFT 1
#define TX 1  // tile: pixels of a row, at most OW
#define OB 1  // tile: blocks of output channels
#define SPLIT 0  // 1: kernel rows are summed apart, then added, so that a long sum rounds less
#define RUN 1  // tiles that a work-item computes, one after another
#define SEGMENT ((TX - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1)  // input pixels under a row of the tile
#define TILES_X ((OW + TX - 1) / TX)
#define TILES (OH * TILES_X)
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 297
#define X_SC 4
#define X_SY 33
#define X_SX 3
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload4(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 600
#define Y_SC 120
#define Y_SY 24
#define Y_SX 4

__attribute__((reqd_work_group_size(32, 1, 1)))
__kernel void conv_first_a9af548e(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int oy = tile / TILES_X, tile_x = tile % TILES_X * TX, ox = min(tile_x, OW - TX);
        const int ix = ox * STRIDE_X - PAD_LEFT;
        floatV acc[OB][TX], total[OB][TX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                acc[b][p] = total[b][p] = 0;

        for (int ky = 0; ky < KY; ++ky) {
            const int iy = oy * STRIDE_Y - PAD_TOP + ky * DILATION_Y;
            if (iy < 0 || iy >= IH) continue;
            const int xi = X_OFFSET + n * X_SN + iy * X_SY + ix * X_SX;
            float segment[SEGMENT * IC];
            if (SEGMENT * IC >= V)
                #pragma unroll
                for (int i = 0; i < SEGMENT * IC; i += V) {
                    const int j = min(i, SEGMENT * IC - V), at = ix * IC + j;
                    if (at >= 0 && at + V <= IW * IC)
                        vstore4(LOADV_X(xi + j), 0, segment + j);
                    else
                        for (int k = j; k < j + V; ++k)
                            segment[k] = ix * IC + k >= 0 && ix * IC + k < IW * IC ? LOAD_X(xi + k) : 0;
                }
            else
                for (int i = 0; i < SEGMENT * IC; ++i)
                    segment[i] = ix * IC + i >= 0 && ix * IC + i < IW * IC ? LOAD_X(xi + i) : 0;

            int wi = (ob * KY + ky) * KX * IC * OB * V;
            for (int kx = 0; kx < KX; ++kx)
                #pragma unroll
                for (int c = 0; c < IC; ++c, wi += OB * V) {
                    floatV wv[OB];
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        wv[b] = LOADV_W(wi + b * V);
                    #pragma unroll
                    for (int p = 0; p < TX; ++p) {
                        const floatV xv = segment[(p * STRIDE_X + kx * DILATION_X) * IC + c];
                        #pragma unroll
                        for (int b = 0; b < OB; ++b)
                            acc[b][p] = fma(xv, wv[b], acc[b][p]);
                    }
                }
            if (SPLIT)
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    #pragma unroll
                    for (int p = 0; p < TX; ++p) {
                        total[b][p] += acc[b][p];
                        acc[b][p] = 0;
                    }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                if (ox + p >= tile_x && ob * OB + b < OCB) {
                    floatV v = acc[b][p] + total[b][p];
                    {
    const float4 t0 = vload4(0, e0 + ((ob * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((ob * OB + b)) * 4 + 4 <= 17 ? vload4(0, e1 + oy * 102 + ((ox + p)) * 17 + (((ob * OB + b)) * 4)) : (float4)((((ob * OB + b)) * 4 + 0 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + ((((ob * OB + b)) * 4 + 0))] : 0), (((ob * OB + b)) * 4 + 1 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + ((((ob * OB + b)) * 4 + 1))] : 0), (((ob * OB + b)) * 4 + 2 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + ((((ob * OB + b)) * 4 + 2))] : 0), (((ob * OB + b)) * 4 + 3 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + ((((ob * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(17 - (((ob * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 24 + ((ox + p)) * 4 + ((ob * OB + b)) * 120);
}
                }
    }
}
