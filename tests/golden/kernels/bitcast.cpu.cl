// The bytes of x taken as another type.
// x, y: any strided layout. One work-item makes one element of y: of WORDS words, or of one that is a part of an element of x.
#define T float  // the type that the bits are taken as
#define WORD uint  // as wide as the narrower of the two types
#define WORDS 1  // of an element of y

__kernel void bitcast_4acbd72d(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int i = get_global_id(0);
    WORD bits[WORDS] __attribute__((aligned(8)));
    for (int k = 0; k < WORDS; ++k) bits[k] = ((__global const WORD *)x)[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))];
    const float v = *(const T *)bits;
    {
    const float t0 = e0[((i % 17))];
    const float t1 = v + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))];
    const float t4 = t2 + t3;
    y[((i / 119)) * 119 + ((i / 17 % 7)) * 17 + ((i % 17))] = t4;
}
}
