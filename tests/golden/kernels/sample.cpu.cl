static float16 near_sigmoid16(float16 x) {
    float16 c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float16)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float16)(126.0f) : c;
    const float16 n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float16 p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float16 d = 1.0f + as_float16(as_int16(p) + (as_int16(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float16)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Elements of x between its elements: at every point a weighted sum of TAPS neighbours along each spatial axis.
// x [N,spatial…,C], at [N,points…,axes], y [N,points…,C]: any layout; LANES neighbouring channels are computed together.
// One work-item computes LANES channels of one point.
#define LANES 16  // channels of a vector
#define TAPS 4  // neighbours along an axis: 1 nearest, 2 linear, 4 cubic
#define PADDING 2  // what lies outside: 0 zeros, 1 the edge, 2 the mirrored elements, 3 zeros all at once
#define EDGE 0.5f  // from the centre of the first element to where the mirror stands
typedef float16 part;

float mirrored(float p, float low, float high) {
    const float range = high - low;
    if (range <= 0) return low;
    if (p >= low && p <= high) return p;
    const float away = p < low ? low - p : p - high;
    const float turns = floor(away / range), rest = away - turns * range;
    return fmin(fmax((p < low) == (fmod(turns, 2.0f) == 0) ? low + rest : high - rest, low), high);
}

// A position, brought to where elements are.
float placed(float p, int extent) {
    p = TAPS == 1 ? rint(p) : p;
    const float low = -EDGE, high = extent - 1 + EDGE;
    if (PADDING == 0 || (PADDING == 1 && TAPS == 4)) return fmin(fmax(p, -4.0f), extent + 4.0f);
    if (PADDING == 3) return p >= 0 && p <= extent - 1 ? p : -4;
    if (PADDING == 1) return p >= low && p <= high ? p : fmin(fmax(p, 0.0f), extent - 1.0f);
    return mirrored(p, low, high);
}

// The element that stands for a neighbour, -1 for zero.
int element(int i, int extent) {
    if (PADDING == 0 || PADDING == 3) return i >= 0 && i < extent ? i : -1;
    return clamp(PADDING == 1 ? i : (int)mirrored(i, -EDGE, extent - 1 + EDGE), 0, extent - 1);
}

float weight(float f, int tap) {
    if (TAPS == 1) return 1;
    if (TAPS == 2) return tap ? f : 1 - f;
    const float a = -0.75f, d = fabs(f + 1 - tap);
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

__kernel void sample_458ed4bd(__global const float *restrict x, __global const float *restrict at, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0), point = get_global_id(1), n = get_global_id(2);
    const float p0 = placed(at[((point / 4)) * 8 + ((point % 4)) * 2 + (0)], 5);
    const int first0 = (int)floor(p0) - (TAPS > 2);
    const float f0 = p0 - floor(p0);
    const float p1 = placed(at[((point / 4)) * 8 + ((point % 4)) * 2 + (1)], 7);
    const int first1 = (int)floor(p1) - (TAPS > 2);
    const float f1 = p1 - floor(p1);
    part sum = 0;
    for (int t0 = 0; t0 < TAPS; ++t0) {
        const int i0 = element(first0 + t0, 5);
        const float w0 = weight(f0, t0);
        if (i0 < 0) continue;
    for (int t1 = 0; t1 < TAPS; ++t1) {
        const int i1 = element(first1 + t1, 7);
        const float w1 = weight(f1, t1) * w0;
        if (i1 < 0) continue;
        sum += w1 * (cb * LANES + 16 <= 17 ? vload16(0, x + i0 * 119 + i1 * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[i0 * 119 + i1 * 17 + ((cb * LANES + 15))] : 0)));
    }
    }
    {
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = sum + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (cb * LANES + 16 <= 17 ? vload16(0, e1 + ((point / 4)) * 68 + ((point % 4)) * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? e1[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + 15))] : 0)));
    const float16 t4 = t2 + t3;
    if (cb * LANES + 16 <= 17) {
        vstore16(t4, 0, y + ((point / 4)) * 68 + ((point % 4)) * 17 + (cb * LANES));
    } else {
        float lane[16];
        vstore16(t4, 0, lane);
        for (int k = 0; k < 16 && cb * LANES + k < 17; ++k) y[((point / 4)) * 68 + ((point % 4)) * 17 + ((cb * LANES + k))] = lane[k];
    }
}
}
