static float near_sigmoid(float x) {
    float c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float)(126.0f) : c;
    const float n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float d = 1.0f + as_float(as_int(p) + (as_int(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Determinants of square matrices, by Gauss's elimination with the largest pivot of a column.
// x, y: any strided layout. One work-item computes one determinant.
#define ROWS 5  // of a matrix

__kernel void det_2a6ca5c0(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
    const float t2 = near_sigmoid(t1);
    const float t3 = e1[i];
    const float t4 = t2 + t3;
    y[i] = t4;
}
}
