// The states of a recurrent cell along a sequence: all steps in one launch.
// All operands: any strided layout. y: h [STEPS][BATCH][STATE] of every step, h [BATCH][STATE] and c [BATCH][UNITS] behind the last.
// WG work-items walk one sequence together: each computes every WG-th unit, and they pass h on through local memory.
#define STEPS 3
#define BATCH 2  // sequences
#define UNITS 5  // units of a gate
#define STATE 5  // elements of h
#define GATES 4
#define WG 8  // work-items of a group
#define OWN 1  // units that a work-item may own

static float act0(float x) {
    return 1.0f / (1.0f + exp(-x));
}

static float act1(float x) {
    return tanh(x);
}

static float act2(float x) {
    return tanh(x);
}

__attribute__((reqd_work_group_size(8, 1, 1)))
__kernel void recurrent_006c4161(__global const float *restrict z, __global const float *restrict r, __global const float *restrict h0, __global const float *restrict c0, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int lid = get_local_id(0), b = get_global_id(1);
    __local float h[STATE];  // the state of the step before
    float next[OWN];
    float c[OWN];
    for (int u = 0, j = lid; j < UNITS; ++u, j += WG) c[u] = c0[b * 5 + j];
    for (int j = lid; j < STATE; j += WG) h[j] = h0[b * 5 + j];
    const int length = STEPS;
    barrier(CLK_LOCAL_MEM_FENCE);

    for (int step = 0; step < STEPS; ++step) {
        const int t = step;
        const int alive = t < length;
        for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
            float gate[GATES];
            #pragma unroll
            for (int g = 0; g < GATES; ++g) gate[g] = z[t * 40 + b * 20 + ((g * UNITS + j))];
            for (int k = 0; k < STATE; ++k) {
                const float v = h[k];
                #pragma unroll
                for (int g = 0; g < GATES; ++g)
                    gate[g] += v * r[k * 20 + ((g * UNITS + j))];
            }
            float in = act0(gate[0]), forget = act0(gate[1]);
            const float cell = forget * c[u] + in * act1(gate[2]);
            const float old = c[u];
            c[u] = cell;
            next[u] = act0(gate[3]) * act2(c[u]);
            c[u] = alive ? c[u] : old;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int u = 0, j = lid; j < STATE; ++u, j += WG) {
            if (alive) h[j] = next[u];
            const float v = alive ? next[u] : 0;
            {
    const float t0 = e0[(((t * BATCH + b) * STATE + j))];
    const float t1 = v + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[(((t * BATCH + b) * STATE + j))];
    const float t4 = t2 + t3;
    y[(((t * BATCH + b) * STATE + j))] = t4;
}
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (int j = lid; j < STATE; j += WG) {
        const float v = h[j];
        {
    const float t0 = e0[(((STEPS * BATCH + b) * STATE + j))];
    const float t1 = v + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[(((STEPS * BATCH + b) * STATE + j))];
    const float t4 = t2 + t3;
    y[(((STEPS * BATCH + b) * STATE + j))] = t4;
}
    }
    for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
        const float v = c[u];
        {
    const float t0 = e0[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))];
    const float t1 = v + t0;
    const float t2 = 1.0f / (1.0f + exp(-t1));
    const float t3 = e1[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))];
    const float t4 = t2 + t3;
    y[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))] = t4;
}
    }
}
