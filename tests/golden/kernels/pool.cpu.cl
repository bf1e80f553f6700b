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

// Pooling: the maximum or the average under a sliding window.
// x, y: any layout of NHWC; V neighbouring channels are computed together.
// One work-item computes TX pixels of a row x V channels. Per kernel row it loads the input pixels under the tile once,
// however many windows share them. The last tile of a row is shifted back to end at the image's edge, and stores only
// what its neighbour does not.
#define V 16  // channels of a vector
#define T float  // type of the arithmetic
#define AVERAGE 1  // 1: the average; 0: the maximum
#define LOWEST -INFINITY  // what a maximum sees outside the image
#define LARGER(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
#define IH 9  // input height
#define IW 11  // input width
#define OW 6  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 2
#define STRIDE_X 2
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 1
#define PAD_LEFT 1
#define COUNT_TOP 0  // padding that an average counts
#define COUNT_BOTTOM 0
#define COUNT_LEFT 0
#define COUNT_RIGHT 0
#define TX 1  // tile: pixels of a row, at most OW
#define SEGMENT ((TX - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1)  // input pixels under a row of the tile
#define TILES_X ((OW + TX - 1) / TX)
#define TV float16

__kernel void pool_cd062a9c(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int tile = get_global_id(0), cb = get_global_id(1), n = get_global_id(2);
    const int oy = tile / TILES_X, tile_x = tile % TILES_X * TX, ox = min(tile_x, OW - TX);
    const int iy = oy * STRIDE_Y - PAD_TOP, ix = ox * STRIDE_X - PAD_LEFT;
    const TV outside = AVERAGE ? (TV)0 : (TV)LOWEST;
    TV acc[TX];
    #pragma unroll
    for (int p = 0; p < TX; ++p)
        acc[p] = outside;

    int rows = 0;
    for (int ky = 0; ky < KY; ++ky) {
        const int row = iy + ky * DILATION_Y;
        rows += row >= -COUNT_TOP && row < IH + COUNT_BOTTOM;
        if (row < 0 || row >= IH) continue;
        TV segment[SEGMENT];
        #pragma unroll
        for (int i = 0; i < SEGMENT; ++i) {
            const int column = ix + i;
            segment[i] = column >= 0 && column < IW ? vload16(0, x + row * 176 + column * 16 + cb * 1584) : outside;
        }
        #pragma unroll
        for (int p = 0; p < TX; ++p)
            #pragma unroll
            for (int kx = 0; kx < KX; ++kx) {
                const TV v = segment[p * STRIDE_X + kx * DILATION_X];
                acc[p] = AVERAGE ? acc[p] + v : LARGER(acc[p], v);
            }
    }

    #pragma unroll
    for (int p = 0; p < TX; ++p) {
        if (ox + p < tile_x) continue;
        int columns = 0;
        #pragma unroll
        for (int kx = 0; kx < KX; ++kx) {
            const int column = ix + p * STRIDE_X + kx * DILATION_X;
            columns += column >= -COUNT_LEFT && column < IW + COUNT_RIGHT;
        }
        TV v = AVERAGE ? acc[p] / (T)(rows * columns) : acc[p];
        {
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = ((cb) * 16 + 16 <= 17 ? vload16(0, e1 + oy * 102 + ((ox + p)) * 17 + ((cb) * 16)) : (float16)(((cb) * 16 + 0 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 0))] : 0), ((cb) * 16 + 1 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 1))] : 0), ((cb) * 16 + 2 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 2))] : 0), ((cb) * 16 + 3 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 3))] : 0), ((cb) * 16 + 4 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 4))] : 0), ((cb) * 16 + 5 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 5))] : 0), ((cb) * 16 + 6 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 6))] : 0), ((cb) * 16 + 7 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 7))] : 0), ((cb) * 16 + 8 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 8))] : 0), ((cb) * 16 + 9 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 9))] : 0), ((cb) * 16 + 10 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 10))] : 0), ((cb) * 16 + 11 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 11))] : 0), ((cb) * 16 + 12 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 12))] : 0), ((cb) * 16 + 13 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 13))] : 0), ((cb) * 16 + 14 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 14))] : 0), ((cb) * 16 + 15 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(17 - ((cb) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + oy * 96 + ((ox + p)) * 16 + cb * 480);
}
    }
}
