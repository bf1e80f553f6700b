// Rows of zeros with elements at the places that an index names: y[p, index[p,l]] = x[p,l].
// x, index [ROWS,COUNT], y [ROWS,SIZE]: any layout. One work-item fills one row, its elements in their order; what is named
// outside the row is dropped.
#define COUNT 17  // elements of a row of x
#define SIZE 33  // elements of a row of y
#define I int  // type of the index

__kernel void unpool_627e1ad7(__global const float *restrict x, __global const int *restrict index, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int row = get_global_id(0);
    const float zero = 0;
    for (int i = 0; i < SIZE; ++i)
        {
    const float t0 = e0[i];
    const float t1 = zero + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
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
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[row * 33 + i];
    const float t4 = t2 + t3;
    y[row * 33 + i] = t4;
}
    }
}
