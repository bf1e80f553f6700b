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

// Rows of zeros with elements at the places that an index names: y[p, index[p,l]] = x[p,l].
// x, index [ROWS,COUNT], y [ROWS,SIZE]: any layout. One work-item fills one row, its elements in their order; what is named
// outside the row is dropped.
#define COUNT 17  // elements of a row of x
#define SIZE 33  // elements of a row of y
#define I int  // type of the index

__kernel void unpool_eac02d8a(__global const float *restrict x, __global const int *restrict index, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int row = get_global_id(0);
    const float zero = 0;
    for (int i = 0; i < SIZE; ++i)
        {
    const float t0 = e0[i];
    const float t1 = zero + t0;
    const float t2 = near_sigmoid(t1);
    const float t3 = e1[row * 33 + i];
    const float t4 = t2 + t3;
    y[row * 33 + i] = t4;
}
    for (int k = 0; k < COUNT; ++k) {
        const I place = index[row * 17 + k];
        if (place < 0 || place >= SIZE) continue;
        const int i = place;
        const float v = x[row * 17 + k];
        {
    const float t0 = e0[i];
    const float t1 = v + t0;
    const float t2 = near_sigmoid(t1);
    const float t3 = e1[row * 33 + i];
    const float t4 = t2 + t3;
    y[row * 33 + i] = t4;
}
    }
}
