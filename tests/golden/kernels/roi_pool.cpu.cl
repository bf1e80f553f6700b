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

// Regions of images under a grid of cells, each the maximum of its pixels, zero where it has none.
// x [N,H,W,C], rois [R,5] (image, left, top, right, bottom), y [R,PH,PW,C]: any layout. One work-item computes LANES channels of a cell.
#define LANES 16  // channels of a vector
#define IMAGES 2  // of x
#define H 5  // rows of an image
#define W 7  // columns of an image
#define PH 2  // rows of cells
#define PW 3  // columns of cells
#define SCALE 1.0f  // from the coordinates of regions to those of x
#define LARGER(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
typedef float16 part;

__kernel void roi_pool_e4bd3d76(__global const float *restrict x, __global const float *restrict rois, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0), cell = get_global_id(1), r = get_global_id(2);
    const int n = clamp((int)rois[r * 5 + (0)], 0, IMAGES - 1);
    const int left = (int)round(rois[r * 5 + (1)] * SCALE), top = (int)round(rois[r * 5 + (2)] * SCALE);
    const int right = (int)round(rois[r * 5 + (3)] * SCALE), bottom = (int)round(rois[r * 5 + (4)] * SCALE);
    const float bin_h = max(bottom - top + 1, 1) / (float)PH, bin_w = max(right - left + 1, 1) / (float)PW;
    const int row = cell / PW, column = cell % PW;
    const int y0 = clamp(top + (int)floor(row * bin_h), 0, H), y1 = clamp(top + (int)ceil((row + 1) * bin_h), 0, H);
    const int x0 = clamp(left + (int)floor(column * bin_w), 0, W), x1 = clamp(left + (int)ceil((column + 1) * bin_w), 0, W);
    part v = y0 < y1 && x0 < x1 ? (part)(-INFINITY) : (part)(0);
    for (int i = y0; i < y1; ++i)
        for (int j = x0; j < x1; ++j) {
            const part pixel = (cb * LANES + 16 <= 17 ? vload16(0, x + n * 595 + i * 119 + j * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 15))] : 0)));
            v = LARGER(v, pixel);
        }
    {
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (cb * LANES + 16 <= 17 ? vload16(0, e1 + r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 15))] : 0)));
    const float16 t4 = t2 + t3;
    if (cb * LANES + 16 <= 17) {
        vstore16(t4, 0, y + r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + (cb * LANES));
    } else {
        float lane[16];
        vstore16(t4, 0, lane);
        for (int k = 0; k < 16 && cb * LANES + k < 17; ++k) y[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + k))] = lane[k];
    }
}
}
