// Depthwise KY x KX convolution, one output channel per input channel.
// x, y: strided blocks of V channels; w: [C / V][KY][KX][V].
// One work-item computes TY rows x TX pixels of one block of V channels: it loads each row of the input under the tile
// once and adds it to every output row that it touches. The last tiles are shifted back to end at the image's edge, and
// store only what their neighbours do not.
#define V 4  // channels of a block
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
#define TY 1  // tile: rows, at most OH
#define TX 11  // tile: pixels of a row, at most OW
#define RUN 1  // tiles that a work-item computes, one after another
#define ROWS ((TY - 1) * STRIDE_Y + (KY - 1) * DILATION_Y + 1)  // input rows under the tile
#define SEGMENT ((TX - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1)  // input pixels under a row of the tile
#define TILES_X ((OW + TX - 1) / TX)
#define TILES ((OH + TY - 1) / TY * TILES_X)
#define PAD_RIGHT ((OW - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1 - PAD_LEFT - IW)
// Whether pixel i of a segment lies inside the image; only near the ends of the segment is there anything to test.
#define INSIDE(i) (((i) >= PAD_LEFT || ix + (i) >= 0) && ((i) < SEGMENT - PAD_RIGHT || ix + (i) < IW))
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
#define Y_SN 1980
#define Y_SC 396
#define Y_SY 44
#define Y_SX 4

__attribute__((reqd_work_group_size(16, 1, 1)))
__kernel void conv_depthwise_24bcdb24(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int cb = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int tile_y = tile / TILES_X * TY, tile_x = tile % TILES_X * TX;
        const int oy = min(tile_y, OH - TY), ox = min(tile_x, OW - TX);
        const int iy = oy * STRIDE_Y - PAD_TOP, ix = ox * STRIDE_X - PAD_LEFT;
        floatV acc[TY][TX];
        #pragma unroll
        for (int r = 0; r < TY; ++r)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                acc[r][p] = 0;

        #pragma unroll
        for (int row = 0; row < ROWS; ++row) {
            if (iy + row < 0 || iy + row >= IH) continue;
            const int xi = X_OFFSET + n * X_SN + cb * X_SC + (iy + row) * X_SY;
            floatV segment[SEGMENT];
            #pragma unroll
            for (int i = 0; i < SEGMENT; ++i)
                segment[i] = INSIDE(i) ? LOADV_X(xi + (ix + i) * X_SX) : (floatV)0;
            #pragma unroll
            for (int r = 0; r < TY; ++r)
                #pragma unroll
                for (int ky = 0; ky < KY; ++ky) {
                    if (r * STRIDE_Y + ky * DILATION_Y != row) continue;
                    #pragma unroll
                    for (int kx = 0; kx < KX; ++kx) {
                        const floatV wv = LOADV_W(((cb * KY + ky) * KX + kx) * V);
                        #pragma unroll
                        for (int p = 0; p < TX; ++p)
                            acc[r][p] = fma(segment[p * STRIDE_X + kx * DILATION_X], wv, acc[r][p]);
                    }
                }
        }

        #pragma unroll
        for (int r = 0; r < TY; ++r)
            #pragma unroll
            for (int p = 0; p < TX; ++p)
                if (oy + r >= tile_y && ox + p >= tile_x) {
                    floatV v = acc[r][p];
                    {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 17 ? vload4(0, e1 + ((oy + r)) * 187 + ((ox + p)) * 17 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(17 - ((cb) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + ((oy + r)) * 44 + ((ox + p)) * 4 + cb * 396);
}
                }
    }
}
