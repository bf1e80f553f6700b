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

// The bytes of x taken as another type.
// x, y: any strided layout. One work-item makes one element of y: of WORDS words, or of one that is a part of an element of x.
#define T float  // the type that the bits are taken as
#define WORD uint  // as wide as the narrower of the two types
#define WORDS 1  // of an element of y

__kernel void bitcast_5efa2dc0(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int i = get_global_id(0);
    WORD bits[WORDS] __attribute__((aligned(8)));
    for (int k = 0; k < WORDS; ++k) bits[k] = ((__global const WORD *)x)[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))];
    const float v = *(const T *)bits;
    {
    const float t0 = e0[((i % 17))];
    const float t1 = v + t0;
    const float t2 = near_sigmoid(t1);
    const float t3 = e1[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))];
    const float t4 = t2 + t3;
    y[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))] = t4;
}
}
