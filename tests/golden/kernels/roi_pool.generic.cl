// Regions of images under a grid of cells, each the maximum of its pixels, zero where it has none.
// x [N,H,W,C], rois [R,5] (image, left, top, right, bottom), y [R,PH,PW,C]: any layout. One work-item computes LANES channels of a cell.
#define LANES 4  // channels of a vector
#define IMAGES 2  // of x
#define H 5  // rows of an image
#define W 7  // columns of an image
#define PH 2  // rows of cells
#define PW 3  // columns of cells
#define SCALE 1.0f  // from the coordinates of regions to those of x
#define LARGER(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
typedef float4 part;

__kernel void roi_pool_94a2ae0d(__global const float *restrict x, __global const float *restrict rois, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
            const part pixel = (cb * LANES + 4 <= 17 ? vload4(0, x + n * 595 + i * 119 + j * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[n * 595 + i * 119 + j * 17 + ((cb * LANES + 3))] : 0)));
            v = LARGER(v, pixel);
        }
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
