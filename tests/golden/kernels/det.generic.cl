// Determinants of square matrices, by Gauss's elimination with the largest pivot of a column.
// x, y: any strided layout. One work-item computes one determinant.
#define ROWS 5  // of a matrix

__kernel void det_aadceea5(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int i = get_global_id(0);
    float a[ROWS > 0 ? ROWS : 1][ROWS > 0 ? ROWS : 1];
    for (int r = 0; r < ROWS; ++r)
        for (int c = 0; c < ROWS; ++c) a[r][c] = x[i * 25 + r * 5 + c];
    float det = 1.0f;
    for (int k = 0; k < ROWS; ++k) {
        int pivot = k;
        for (int r = k + 1; r < ROWS; ++r)
            if (fabs(a[r][k]) > fabs(a[pivot][k])) pivot = r;
        if (pivot != k) {
            det = -det;
            for (int c = k; c < ROWS; ++c) {
                const float t = a[k][c];
                a[k][c] = a[pivot][c];
                a[pivot][c] = t;
            }
        }
        det *= a[k][k];
        if (a[k][k] == 0.0f) break;
        for (int r = k + 1; r < ROWS; ++r) {
            const float f = a[r][k] / a[k][k];
            for (int c = k + 1; c < ROWS; ++c) a[r][c] -= f * a[k][c];
        }
    }
    {
    const float t0 = e0[i];
    const float t1 = det + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[i];
    const float t4 = t2 + t3;
    y[i] = t4;
}
}
