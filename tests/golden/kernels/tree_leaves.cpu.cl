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

// The leaf at which each row of x arrives in each tree.
// x, y and the tables of the trees: any strided layout. One work-item walks one tree with one row.
#define T float  // of a feature
#define MISSING 8  // added to the mode of a test that NaN passes

__kernel void tree_leaves_0dac9528(__global const float *restrict x, __global const float *restrict features, __global const float *restrict splits, __global const float *restrict modes, __global const float *restrict next, __global const float *restrict roots, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int tree = get_global_id(0), row = get_global_id(1);
    int place = roots[tree];
    while (place >= 0) {
        const int feature = features[place], mode = modes[place];
        const T value = x[row * 17 + feature], split = splits[place];
        int passed;
        switch (mode % MISSING) {
            case 0: passed = value <= split; break;
            case 1: passed = value < split; break;
            case 2: passed = value >= split; break;
            case 3: passed = value > split; break;
            case 4: passed = value == split; break;
            default: passed = value != split;
        }
        if (value != value && mode >= MISSING) passed = 1;
        place = next[place * 2 + passed];
    }
    const int leaf = ~place;
    {
    const float t0 = convert_float(leaf);
    const float t1 = e0[tree];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[row * 5 + tree];
    const float t5 = t3 + t4;
    y[row * 5 + tree] = t5;
}
}
