// Pooling: the maximum or the average under a sliding window.
// x, y: any layout of NHWC; V neighbouring channels are computed together.
// One work-item computes TX pixels of a row x V channels. Per kernel row it loads the input pixels under the tile once,
// however many windows share them. The last tile of a row is shifted back to end at the image's edge, and stores only
// what its neighbour does not.
#define V 4  // channels of a vector
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
#define TV float4

__kernel void pool_e126a0da(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
            segment[i] = column >= 0 && column < IW ? vload4(0, x + row * 44 + column * 4 + cb * 396) : outside;
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
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 17 ? vload4(0, e1 + oy * 102 + ((ox + p)) * 17 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 17 ? e1[oy * 102 + ((ox + p)) * 17 + (((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(17 - ((cb) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 24 + ((ox + p)) * 4 + cb * 120);
}
    }
}
