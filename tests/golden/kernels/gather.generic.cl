// Elements of x at coordinates that an index holds: y[…,j…,i…] = x[…,index[j…],i…].
// x, index, y: any layout. One work-item computes LANES neighbours along the last axis of y, which are neighbours in x too.
// A negative index counts from the end; one out of range picks the nearest end.
#define LANES 1  // elements of a vector
#define T int  // type of the index
#define INSIDE(j, extent) clamp(j < 0 ? j + extent : j, (T)0, (T)(extent - 1))

__kernel void gather_1be572ea(__global const float *restrict x, __global const int *restrict index, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int block = get_global_id(0), last = block * LANES, row = get_global_id(1);
    const T j0 = index[row];
    const int k0 = INSIDE(j0, 7);
    const float v = x[k0 * 17 + last];
    {
    const float t0 = e0[last];
    const float t1 = v + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[row * 17 + last];
    const float t4 = t2 + t3;
    y[row * 17 + last] = t4;
}
}
