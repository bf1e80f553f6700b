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

// Depthwise KY x KX convolution, one output channel per input channel.
// x, y: strided blocks of V channels; w: [C / V][KY][KX][V].
// One work-item computes TY rows x TX pixels of one block of V channels: it loads each row of the input under the tile
// once and adds it to every output row that it touches. The last tiles are shifted back to end at the image's edge, and
// store only what their neighbours do not.
#define V 16  // channels of a block
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
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 3168
#define Y_SC 1584
#define Y_SY 176
#define Y_SX 16

__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void conv_depthwise_a2f95823(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
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
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = ((cb) * 16 + 16 <= 17 ? vload16(0, e1 + ((oy + r)) * 187 + ((ox + p)) * 17 + ((cb) * 16)) : (float16)(((cb) * 16 + 0 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 0))] : 0), ((cb) * 16 + 1 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 1))] : 0), ((cb) * 16 + 2 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 2))] : 0), ((cb) * 16 + 3 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 3))] : 0), ((cb) * 16 + 4 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 4))] : 0), ((cb) * 16 + 5 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 5))] : 0), ((cb) * 16 + 6 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 6))] : 0), ((cb) * 16 + 7 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 7))] : 0), ((cb) * 16 + 8 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 8))] : 0), ((cb) * 16 + 9 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 9))] : 0), ((cb) * 16 + 10 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 10))] : 0), ((cb) * 16 + 11 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 11))] : 0), ((cb) * 16 + 12 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 12))] : 0), ((cb) * 16 + 13 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 13))] : 0), ((cb) * 16 + 14 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 14))] : 0), ((cb) * 16 + 15 < 17 ? e1[((oy + r)) * 187 + ((ox + p)) * 17 + (((cb) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(17 - ((cb) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + ((oy + r)) * 176 + ((ox + p)) * 16 + cb * 1584);
}
                }
    }
}
