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

// Regions of images under a grid of cells, each the average or the maximum of samples between the elements of x.
// x [N,H,W,C], rois [R,4], batch [R], y [R,PH,PW,C]: any layout. One work-item computes LANES channels of a cell.
#define LANES 16  // channels of a vector
#define IMAGES 2  // of x
#define H 5  // rows of an image
#define W 7  // columns of an image
#define PH 2  // rows of cells
#define PW 3  // columns of cells
#define SCALE 1.0f  // from the coordinates of regions to those of x
#define HALF_PIXEL 1  // 1: coordinates count from the corners of pixels, and regions may be smaller than one
#define SAMPLES 0  // of a cell along an axis; 0: as many as it has pixels
#define MAXIMUM 0  // 1: the largest weighted pixel; 0: the average of the samples
#define LARGER(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
typedef float16 part;

int samples(float extent) {
    return SAMPLES ? SAMPLES : extent > 0 ? (int)ceil(extent) : 0;
}

__kernel void roi_align_65546cec(__global const float *restrict x, __global const float *restrict rois, __global const int *restrict batch, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0), cell = get_global_id(1), r = get_global_id(2);
    const int n = clamp((int)batch[r], 0, IMAGES - 1);
    const float offset = HALF_PIXEL ? 0.5f : 0.0f;
    const float left = rois[r * 4 + (0)] * SCALE - offset, top = rois[r * 4 + (1)] * SCALE - offset;
    float width = rois[r * 4 + (2)] * SCALE - offset - left;
    float height = rois[r * 4 + (3)] * SCALE - offset - top;
    width = HALF_PIXEL ? width : fmax(width, 1.0f);
    height = HALF_PIXEL ? height : fmax(height, 1.0f);
    const float bin_h = height / PH, bin_w = width / PW;
    const int rows = samples(bin_h), columns = samples(bin_w);

    part v = 0;
    for (int i = 0; i < rows; ++i) {
        const float py = top + cell / PW * bin_h + (i + 0.5f) * bin_h / rows;
        for (int j = 0; j < columns; ++j) {
            const float px = left + cell % PW * bin_w + (j + 0.5f) * bin_w / columns;
            part sample = 0;
            if (py >= -1 && py <= H && px >= -1 && px <= W) {
                const int y0 = clamp((int)py, 0, H - 1), x0 = clamp((int)px, 0, W - 1);
                const int y1 = min(y0 + 1, H - 1), x1 = min(x0 + 1, W - 1);
                const float ly = y0 == H - 1 ? 0 : fmax(py, 0.0f) - y0, lx = x0 == W - 1 ? 0 : fmax(px, 0.0f) - x0;
                const part a = (1 - ly) * (1 - lx) * (cb * LANES + 16 <= 17 ? vload16(0, x + n * 595 + y0 * 119 + x0 * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 15))] : 0)));
                const part b = (1 - ly) * lx * (cb * LANES + 16 <= 17 ? vload16(0, x + n * 595 + y0 * 119 + x1 * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 15))] : 0)));
                const part c = ly * (1 - lx) * (cb * LANES + 16 <= 17 ? vload16(0, x + n * 595 + y1 * 119 + x0 * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 15))] : 0)));
                const part d = ly * lx * (cb * LANES + 16 <= 17 ? vload16(0, x + n * 595 + y1 * 119 + x1 * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 15))] : 0)));
                const part ab = LARGER(a, b), cd = LARGER(c, d);
                sample = MAXIMUM ? LARGER(ab, cd) : a + b + c + d;
            }
            v = !MAXIMUM ? v + sample : i + j == 0 ? sample : LARGER(v, sample);
        }
    }
    v = MAXIMUM ? v : v / max(rows * columns, 1);
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
