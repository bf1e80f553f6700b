// Regions of images under a grid of cells, each the average or the maximum of samples between the elements of x.
// x [N,H,W,C], rois [R,4], batch [R], y [R,PH,PW,C]: any layout. One work-item computes LANES channels of a cell.
#define LANES 4  // channels of a vector
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
typedef float4 part;

int samples(float extent) {
    return SAMPLES ? SAMPLES : extent > 0 ? (int)ceil(extent) : 0;
}

__kernel void roi_align_5f7b79cc(__global const float *restrict x, __global const float *restrict rois, __global const int *restrict batch, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
                const part a = (1 - ly) * (1 - lx) * (cb * LANES + 4 <= 17 ? vload4(0, x + n * 595 + y0 * 119 + x0 * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y0 * 119 + x0 * 17 + ((cb * LANES + 3))] : 0)));
                const part b = (1 - ly) * lx * (cb * LANES + 4 <= 17 ? vload4(0, x + n * 595 + y0 * 119 + x1 * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y0 * 119 + x1 * 17 + ((cb * LANES + 3))] : 0)));
                const part c = ly * (1 - lx) * (cb * LANES + 4 <= 17 ? vload4(0, x + n * 595 + y1 * 119 + x0 * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y1 * 119 + x0 * 17 + ((cb * LANES + 3))] : 0)));
                const part d = ly * lx * (cb * LANES + 4 <= 17 ? vload4(0, x + n * 595 + y1 * 119 + x1 * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + y1 * 119 + x1 * 17 + ((cb * LANES + 3))] : 0)));
                const part ab = LARGER(a, b), cd = LARGER(c, d);
                sample = MAXIMUM ? LARGER(ab, cd) : a + b + c + d;
            }
            v = !MAXIMUM ? v + sample : i + j == 0 ? sample : LARGER(v, sample);
        }
    }
    v = MAXIMUM ? v : v / max(rows * columns, 1);
    {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (cb * LANES + 4 <= 17 ? vload4(0, e1 + r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? e1[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + 3))] : 0)));
    const float4 t4 = t2 + t3;
    if (cb * LANES + 4 <= 17) {
        vstore4(t4, 0, y + r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + (cb * LANES));
    } else {
        float lane[4];
        vstore4(t4, 0, lane);
        for (int k = 0; k < 4 && cb * LANES + k < 17; ++k) y[r * 102 + (cell / 3) * 51 + (cell % 3) * 17 + ((cb * LANES + k))] = lane[k];
    }
}
}
