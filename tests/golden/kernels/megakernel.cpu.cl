// 5 launches in one kernel: stage after stage, without leaving the device in between.
// Its work-groups are workers of one work-item each. A stage's items, the work-groups that its launch would have had, are
// shared out before: every worker takes its own in order, a few at a time, then what others have not begun. So it does not
// matter how many workers there are, which of them run at once, and which is delayed: nobody waits for an item that
// nobody computes.
// Bound to it: whole buffers; counters, zeros, 16 * (STAGES * (workers + 1) + 1) ints; the first stage, and the one behind the last.
#define get_global_id(d) item##d
#define get_group_id(d) item##d
#define get_local_id(d) 0
#define barrier(flags)
#define __local

// ---- map_199afb2a
// Every element of y by itself: an element-wise chain, or a movement of data (transpose, pad, slice, tile, resize, …).
// One work-item owns LANES neighbours along the last axis of y. The addresses are the compiler's: they follow from the
// layouts of the operands and from the index arithmetic of the op.

#define LANES 16  // elements per work-item

static inline void map_199afb2a(const int item0, const int item1, const int item2, __global const float *restrict x, __global float *restrict y) {
    const int b = get_global_id(0);
    const int i3 = b * 16;
    const int i2 = get_global_id(1);
    const int i1 = (int)get_global_id(2) % 9;
    const int i0 = (int)get_global_id(2) / 9;
    float lane[16] = {0};
    for (int k = 0; k < 16 && i3 + k < 17; ++k) lane[k] = x[i1 * 187 + i2 * 17 + ((i3 + k))];
    const float16 v = vload16(0, lane);
    {
        vstore16(v, 0, y + i1 * 176 + i2 * 16 + b * 1584);
    }
}

#undef LANES
#pragma OPENCL FP_CONTRACT ON

// ---- conv_pointwise_75dfc552
// Pointwise (1x1, stride 1) convolution as a register-tiled matrix product.
// x, y: strided blocks of V channels, pixels flattened (SY = W * SX, or W = 1); w: [OC / (OB * V)][IC][OB * V].
// One work-item computes PX pixels, APART from each other, x OB blocks of V output channels; APART tiles, which are interleaved, are
// neighbours. The last of them are shifted back to end at the last pixel, and store only what those before do not.
#define V 16  // channels of a block
#define IC 17  // input channels
#define OCB 3  // blocks of output channels, ceil(OC / V)
#define PIXELS 99  // pixels of an image, height * width
#define PX 5  // tile: pixels
#define APART 1  // tiles that are interleaved; APART * PX is at most PIXELS
#define OB 3  // tile: blocks of output channels
#define RUN 1  // tiles that a work-item computes, one after another
#define TILES ((PIXELS + APART * PX - 1) / (APART * PX) * APART)
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 3  // vectors of the next tile of channels' weights, fetched with each block of input channels
#define EARLY 2  // blocks of input channels by which a tile's pixels are fetched before they are needed; 0: not at all
#if AHEAD || EARLY
// PREFETCH(p): the line of memory at p will be wanted soon. OpenCL's own prefetch does nothing on the drivers for CPUs.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif
#endif
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 3168
#define X_SC 1584
#define X_SY 176
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload16(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 4752
#define Y_SC 1584
#define Y_SY 176
#define Y_SX 16
#define X_SP X_SX  // stride of a pixel: images of width 1 are walked row by row

static inline void conv_pointwise_75dfc552(const int item0, const int item1, const int item2, __global const X_T *restrict x, __global const float *restrict w, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int begin = tile / APART * APART * PX, first = min(begin, PIXELS - APART * PX) + tile % APART;
        floatV acc[OB][PX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                acc[b][p] = 0;

        int wi = ob * IC * OB * V;
        for (int c = 0; c < IC; c += V) {
            const int xi = X_OFFSET + n * X_SN + c / V * X_SC + first * X_SP;
#if EARLY
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                PREFETCH(x + xi + EARLY * X_SC + p * APART * X_SP);
#endif
#if AHEAD
            #pragma unroll
            for (int k = 0; k < AHEAD; ++k)
                PREFETCH(w + (ob + 1) * IC * OB * V + ((tile * ((IC + V - 1) / V) + c / V) * AHEAD + k) * V);
#endif
            const int lanes = IC % V ? min(V, IC - c) : V;
            __attribute__((opencl_unroll_hint(UNROLL)))
            for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                floatV wv[OB];
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    wv[b] = LOADV_W(wi + b * V);
                #pragma unroll
                for (int p = 0; p < PX; ++p) {
                    const floatV xv = LOAD_X(xi + p * APART * X_SP + lane);
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        acc[b][p] = fma(xv, wv[b], acc[b][p]);
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                if (first + p * APART >= begin && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    vstore16(v, 0, y + (0) * 176 + ((first + p * APART)) * 16 + ((ob * OB + b)) * 1584);
}
                }
    }
}

#undef V
#undef IC
#undef OCB
#undef PIXELS
#undef PX
#undef APART
#undef OB
#undef RUN
#undef TILES
#undef UNROLL
#undef AHEAD
#undef EARLY
#undef PREFETCH
#undef floatV
#undef X_T
#undef X_OFFSET
#undef X_SN
#undef X_SC
#undef X_SY
#undef X_SX
#undef LOAD_X
#undef LOADV_X
#undef W_T
#undef LOAD_W
#undef LOADV_W
#undef Y_T
#undef Y_OFFSET
#undef Y_SN
#undef Y_SC
#undef Y_SY
#undef Y_SX
#undef X_SP
#pragma OPENCL FP_CONTRACT ON

// ---- conv_pointwise_f5ba942c
// Pointwise (1x1, stride 1) convolution as a register-tiled matrix product.
// x, y: strided blocks of V channels, pixels flattened (SY = W * SX, or W = 1); w: [OC / (OB * V)][IC][OB * V].
// One work-item computes PX pixels, APART from each other, x OB blocks of V output channels; APART tiles, which are interleaved, are
// neighbours. The last of them are shifted back to end at the last pixel, and store only what those before do not.
#define V 16  // channels of a block
#define IC 33  // input channels
#define OCB 1  // blocks of output channels, ceil(OC / V)
#define PIXELS 99  // pixels of an image, height * width
#define PX 14  // tile: pixels
#define APART 1  // tiles that are interleaved; APART * PX is at most PIXELS
#define OB 1  // tile: blocks of output channels
#define RUN 1  // tiles that a work-item computes, one after another
#define TILES ((PIXELS + APART * PX - 1) / (APART * PX) * APART)
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 2  // vectors of the next tile of channels' weights, fetched with each block of input channels
#define EARLY 2  // blocks of input channels by which a tile's pixels are fetched before they are needed; 0: not at all
#if AHEAD || EARLY
// PREFETCH(p): the line of memory at p will be wanted soon. OpenCL's own prefetch does nothing on the drivers for CPUs.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif
#endif
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 4752
#define X_SC 1584
#define X_SY 176
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload16(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 1584
#define Y_SC 1584
#define Y_SY 176
#define Y_SX 16
#define X_SP X_SX  // stride of a pixel: images of width 1 are walked row by row

static inline void conv_pointwise_f5ba942c(const int item0, const int item1, const int item2, __global const X_T *restrict x, __global const float *restrict w, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int begin = tile / APART * APART * PX, first = min(begin, PIXELS - APART * PX) + tile % APART;
        floatV acc[OB][PX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                acc[b][p] = 0;

        int wi = ob * IC * OB * V;
        for (int c = 0; c < IC; c += V) {
            const int xi = X_OFFSET + n * X_SN + c / V * X_SC + first * X_SP;
#if EARLY
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                PREFETCH(x + xi + EARLY * X_SC + p * APART * X_SP);
#endif
#if AHEAD
            #pragma unroll
            for (int k = 0; k < AHEAD; ++k)
                PREFETCH(w + (ob + 1) * IC * OB * V + ((tile * ((IC + V - 1) / V) + c / V) * AHEAD + k) * V);
#endif
            const int lanes = IC % V ? min(V, IC - c) : V;
            __attribute__((opencl_unroll_hint(UNROLL)))
            for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                floatV wv[OB];
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    wv[b] = LOADV_W(wi + b * V);
                #pragma unroll
                for (int p = 0; p < PX; ++p) {
                    const floatV xv = LOAD_X(xi + p * APART * X_SP + lane);
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        acc[b][p] = fma(xv, wv[b], acc[b][p]);
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                if (first + p * APART >= begin && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    vstore16(v, 0, y + (0) * 176 + ((first + p * APART)) * 16 + ((ob * OB + b)) * 1584);
}
                }
    }
}

#undef V
#undef IC
#undef OCB
#undef PIXELS
#undef PX
#undef APART
#undef OB
#undef RUN
#undef TILES
#undef UNROLL
#undef AHEAD
#undef EARLY
#undef PREFETCH
#undef floatV
#undef X_T
#undef X_OFFSET
#undef X_SN
#undef X_SC
#undef X_SY
#undef X_SX
#undef LOAD_X
#undef LOADV_X
#undef W_T
#undef LOAD_W
#undef LOADV_W
#undef Y_T
#undef Y_OFFSET
#undef Y_SN
#undef Y_SC
#undef Y_SY
#undef Y_SX
#undef X_SP
#pragma OPENCL FP_CONTRACT ON

// ---- reduce_3f310820
// Elements along some axes of x combined to one.
// x, y: any layout; V neighbours along the last axis of x are combined at a time. Where that axis is kept they are V
// results; where it is reduced they are partial results of one, combined at the end.
// WG work-items compute YV results: they share a loop, then combine their parts through local memory.
#define V 4  // elements of a vector of x
#define YV 4  // elements of a vector of y
#define T float  // type of the arithmetic
#define IDENTITY ((T)-INFINITY)
#define COMBINE(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
#define COUNT 1  // what the result is divided by
#define EXTENT 0  // elements of x that lie together along the last axis, where it is reduced
#define WG 1  // work-items of a group
#define LOOP_WG 1  // of which share the outermost loop
#define VECTOR_WG 1  // or the vectors of the last axis
#define RUN 0  // terms added to each other before they join the rest, so that a long sum rounds less; 0: it is short
#define TV float4
#define TYV float4

#if RUN
#define TAKE(v) { run = COMBINE(run, v); if (++steps % RUN == 0) { acc = COMBINE(acc, run); run = IDENTITY; } }
#else
#define TAKE(v) acc = COMBINE(acc, v)
#endif

static inline void reduce_3f310820(const int item0, const int item1, const int item2, __global const float *restrict x, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV acc = IDENTITY;
#if RUN
    TV run = IDENTITY;
    int steps = 0;
#endif
    for (int r0 = lid % LOOP_WG; r0 < 99; r0 += LOOP_WG)
    {
        const TV v = (float4)((cb * V + 0 < 5 ? x[r0 * 16 + ((cb * V + 0)) / 16 * 1584 + ((cb * V + 0)) % 16] : 0), (cb * V + 1 < 5 ? x[r0 * 16 + ((cb * V + 1)) / 16 * 1584 + ((cb * V + 1)) % 16] : 0), (cb * V + 2 < 5 ? x[r0 * 16 + ((cb * V + 2)) / 16 * 1584 + ((cb * V + 2)) % 16] : 0), (cb * V + 3 < 5 ? x[r0 * 16 + ((cb * V + 3)) / 16 * 1584 + ((cb * V + 3)) % 16] : 0));
        TAKE(v);
    }
#if RUN
    acc = COMBINE(acc, run);
#endif

    TYV v = acc / COUNT;
    {
    if ((cb) * 4 + 4 <= 5) {
        vstore4(v, 0, y + ((cb) * 4));
    } else {
        float lane[4];
        vstore4(v, 0, lane);
        for (int k = 0; k < 4 && (cb) * 4 + k < 5; ++k) y[(((cb) * 4 + k))] = lane[k];
    }
}
}

#undef V
#undef YV
#undef T
#undef IDENTITY
#undef COMBINE
#undef COUNT
#undef EXTENT
#undef WG
#undef LOOP_WG
#undef VECTOR_WG
#undef RUN
#undef TV
#undef TYV
#undef TAKE
#pragma OPENCL FP_CONTRACT ON

// ---- softmax_fcc2d076
// Softmax along one axis: exp(x - max) / sum, or its logarithm.
// x, y: any strided layout. Along the last axis a vector holds V elements of one row of the axis, those past its end -INFINITY;
// along another axis it holds one element of V neighbouring rows.
// WG work-items compute one row, or V rows, in three passes over x; they combine their parts through local memory.
// What is float16 in the graph is rounded to that after every step, as the operators that define a softmax would round it.
#define V 4  // elements of a vector
#define EXTENT 5  // elements of a row
#define STEP 4  // of which a vector holds so many: V or 1
#define WG 1  // work-items of a group
#define T float
#define TV float4
#define ADD(a, b) ((a) + (b))

#if STEP > 1  // what is known of a vector becomes what is known of its row
#define ROW T
#define FOLD(row, v, COMBINE) ROW row = ((T *)&v)[0]; for (int i = 1; i < V; ++i) row = COMBINE(row, ((T *)&v)[i])
#else
#define ROW TV
#define FOLD(row, v, COMBINE) ROW row = v
#endif

#if WG > 1  // what each work-item knows of a row becomes what all know
#define SHARE(row, COMBINE) \
    part[lid] = row; \
    for (int rest = WG / 2; rest > 0; rest /= 2) { \
        barrier(CLK_LOCAL_MEM_FENCE); \
        if (lid < rest) part[lid] = COMBINE(part[lid], part[lid + rest]); \
    } \
    barrier(CLK_LOCAL_MEM_FENCE); \
    row = part[0]; \
    barrier(CLK_LOCAL_MEM_FENCE)
#else
#define SHARE(row, COMBINE)
#endif

static inline void softmax_fcc2d076(const int item0, const int item1, const int item2, __global const float *restrict x, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV most = -INFINITY;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        most = fmax(most, (i + 4 <= 5 ? vload4(0, x + i) : (float4)((i + 0 < 5 ? x[((i + 0))] : -INFINITY), (i + 1 < 5 ? x[((i + 1))] : -INFINITY), (i + 2 < 5 ? x[((i + 2))] : -INFINITY), (i + 3 < 5 ? x[((i + 3))] : -INFINITY))));
    FOLD(top, most, fmax);
    SHARE(top, fmax);

    TV sums = 0;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        sums += exp((i + 4 <= 5 ? vload4(0, x + i) : (float4)((i + 0 < 5 ? x[((i + 0))] : -INFINITY), (i + 1 < 5 ? x[((i + 1))] : -INFINITY), (i + 2 < 5 ? x[((i + 2))] : -INFINITY), (i + 3 < 5 ? x[((i + 3))] : -INFINITY))) - top);
    FOLD(sum, sums, ADD);
    SHARE(sum, ADD);
    const ROW scale = 1.0f / sum;

    for (int i = lid * STEP; i < EXTENT; i += WG * STEP) {
        const TV v = (i + 4 <= 5 ? vload4(0, x + i) : (float4)((i + 0 < 5 ? x[((i + 0))] : -INFINITY), (i + 1 < 5 ? x[((i + 1))] : -INFINITY), (i + 2 < 5 ? x[((i + 2))] : -INFINITY), (i + 3 < 5 ? x[((i + 3))] : -INFINITY))) - top;
        const TV r = exp(v) * scale;
        {
    if (i + 4 <= 5) {
        vstore4(r, 0, y + i);
    } else {
        float lane[4];
        vstore4(r, 0, lane);
        for (int k = 0; k < 4 && i + k < 5; ++k) y[((i + k))] = lane[k];
    }
}
    }
}

#undef V
#undef EXTENT
#undef STEP
#undef WG
#undef T
#undef TV
#undef ADD
#undef ROW
#undef FOLD
#undef SHARE
#pragma OPENCL FP_CONTRACT ON

static __attribute__((noinline)) void items0(int item, const int last, __global void *a0, __global void *a1) {
    while (item < last) {
        const int row = item / 2, end = min(last, (row + 1) * 2);
        for (; item < end; ++item)
            map_199afb2a(item - row * 2, row % 11, row / 11, a0, a1);
    }
}

static __attribute__((noinline)) void items1(int item, const int last, __global void *a0, __global void *a1, __global void *a2) {
    while (item < last) {
        const int row = item / 1, end = min(last, (row + 1) * 1);
        for (; item < end; ++item)
            conv_pointwise_75dfc552(row % 20, item - row * 1, row / 20, a0, a1, a2);
    }
}

static __attribute__((noinline)) void items2(int item, const int last, __global void *a0, __global void *a1, __global void *a2) {
    while (item < last) {
        const int row = item / 1, end = min(last, (row + 1) * 1);
        for (; item < end; ++item)
            conv_pointwise_f5ba942c(row % 8, item - row * 1, row / 8, a0, a1, a2);
    }
}

static __attribute__((noinline)) void items3(int item, const int last, __global void *a0, __global void *a1) {
    while (item < last) {
        const int row = item / 2, end = min(last, (row + 1) * 2);
        for (; item < end; ++item)
            reduce_3f310820(item - row * 2, row % 1, row / 1, a0, a1);
    }
}

static __attribute__((noinline)) void items4(int item, const int last, __global void *a0, __global void *a1) {
    while (item < last) {
        const int row = item / 1, end = min(last, (row + 1) * 1);
        for (; item < end; ++item)
            softmax_fcc2d076(item - row * 1, row % 1, row / 1, a0, a1);
    }
}

static void compute(const int stage, const int item, const int last, const int worker, __global uchar *arena, __global uchar *weights, __global uchar *input0, __global uchar *output0) {
    switch (stage) {
    case 0: items0(item, last, input0 + 0, arena + 19456); break;  // map lanes16
    case 1: items1(item, last, arena + 19456, weights + 0, arena + 0); break;  // conv_pointwise px5 ob3 run1
    case 2: items2(item, last, arena + 0, weights + 3584, arena + 19456); break;  // conv_pointwise px14 ob1 run1
    case 3: items3(item, last, arena + 19456, arena + 0); break;  // reduce wg1 run0
    case 4: items4(item, last, arena + 0, output0 + 0); break;  // softmax wg1
    }
}

#define STAGES 5
#define LINE 16  // ints of a cache line, of which every counter has its own
#define SHARE 16  // a worker takes this part of its items at a time
#define WITHIN memory_scope_device
__constant int ITEMS[STAGES] = {198, 20, 8, 2, 1};
__constant int AFTER[STAGES] = {0, 1, 2, 3, 4};  // stages that have to be done before

#undef get_global_id
#undef get_group_id
#undef get_local_id
#undef barrier
#undef __local
__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void megakernel_b11ae431(__global uchar *arena, __global uchar *weights, __global uchar *input0, __global uchar *output0, __global atomic_int *counters, const int first, const int end) {
    const int workers = get_num_groups(0), own = get_group_id(0);
    int done = first;
    for (int stage = first; stage < end; ++stage) {
        for (; done < AFTER[stage]; ++done)
            while (atomic_load_explicit(counters + (done * (workers + 1) + workers) * LINE, memory_order_acquire, WITHIN) < ITEMS[done]);
        const long items = ITEMS[stage];
        const int share = max(1, (int)(items / (workers * SHARE)));
        __global atomic_int *taken = counters + stage * (workers + 1) * LINE, *computed = taken + workers * LINE;
        for (int k = 0; k < workers; ++k) {
            const int of = (own + k) % workers, begin = items * of / workers, count = items * (of + 1) / workers - begin;
            int found = 0;
            while (atomic_load_explicit(taken + of * LINE, memory_order_relaxed, WITHIN) < count) {
                const int at = atomic_fetch_add_explicit(taken + of * LINE, share, memory_order_relaxed, WITHIN);
                if (at >= count) break;
                const int some = min(share, count - at);
                compute(stage, begin + at, begin + at + some, own, arena, weights, input0, output0);
                found += some;
            }
            if (found && atomic_fetch_add_explicit(computed, found, memory_order_acq_rel, WITHIN) + found == items) break;
        }
    }

    // Whoever leaves last puts the counters back to zero.
    __global atomic_int *left = counters + STAGES * (workers + 1) * LINE;
    if (atomic_fetch_add_explicit(left, 1, memory_order_acq_rel, WITHIN) < workers - 1) return;
    for (int k = first * (workers + 1); k < end * (workers + 1); ++k)
        atomic_store_explicit(counters + k * LINE, 0, memory_order_relaxed, WITHIN);
    atomic_store_explicit(left, 0, memory_order_relaxed, WITHIN);
}
