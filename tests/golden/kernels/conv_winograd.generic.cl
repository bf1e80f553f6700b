// 3x3 convolution, stride 1, by Winograd's minimal filtering F(M x M, 3 x 3): N * N products a tile of M * M results, N = M + 2.
// x, y: strided blocks of V channels; w: transformed, [SPLIT][N * N][GROUPS][ICB * V][OB * V];
// scratch, for each work-group: [N * N][ICB][BLOCK][V] and a vector, [N * N][GROUPS * OB][BLOCK][V] and a vector.
// A work-group takes RUN blocks of BLOCK tiles, and computes GROUPS * OB blocks of V channels of each: its work-items
// transform the inputs, multiply N * N matrices, PX tiles x OB blocks of V channels at a time, and transform what that
// gave. The vectors between planes keep these from falling on the same lines of a cache.
#define V 4  // channels of a block
#define ICB 5  // blocks of input channels
#define OCB 9  // blocks of output channels
#define IH 9  // input height
#define IW 11  // input width
#define OH 9  // output height
#define OW 11  // output width
#define PAD_TOP 1
#define PAD_LEFT 1
#define TILES 30  // of all images
#define M 2  // results of a tile, in each direction
#define N (M + 2)  // inputs of a tile, in each direction
#define PX 5  // tiles that are multiplied at once
#define OB 3  // blocks of output channels that are multiplied at once
#define BLOCK 10  // tiles of a block, a multiple of PX
#define RUN 1  // blocks of a work-group, one after another
#define GROUPS 3  // products of OB blocks of output channels, for a work-group
#define SPLIT 1  // work-groups that share the output channels
#define SHARE 64  // work-items of a work-group
#define UNROLL 4  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 0  // vectors of the next product's weights, fetched with each block of input channels
#define TILES_Y ((OH + M - 1) / M)
#define TILES_X ((OW + M - 1) / M)
#define IN_PLANE ((ICB * BLOCK + 1) * V)
#define OUT_PLANE ((GROUPS * OB * BLOCK + 1) * V)
#if SHARE > 1
#define MEET barrier(CLK_GLOBAL_MEM_FENCE)  // what the work-items of a work-group stored, all of them may load
#else
#define MEET
#endif
#if AHEAD
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
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 1980
#define X_SC 396
#define X_SY 44
#define X_SX 4
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload4(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 3564
#define Y_SC 396
#define Y_SY 44
#define Y_SX 4

// Points 0, 1, -1, infinity: B^T of the N numbers at d, s apart.
static void transform_input(floatV *d, const int s) {
    const floatV d1 = d[s], d2 = d[2 * s];
    d[0] = d2 - d[0];
    d[s] = d2 + d1;
    d[2 * s] = d2 - d1;
    d[3 * s] = d[3 * s] - d1;
}

// A^T of the N numbers at m, s apart, to the M at y, t apart.
static void transform_output(const floatV *m, const int s, floatV *y, const int t) {
    y[0] = m[0] + (m[s] + m[2 * s]);
    y[t] = (m[s] - m[2 * s]) + m[3 * s];
}

__attribute__((reqd_work_group_size(64, 1, 1)))
__kernel void conv_winograd_b7af5780(__global const X_T *restrict x, __global const float *restrict w, __global float *restrict scratch, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int part = get_group_id(1), own = get_local_id(0);
    __global float *inputs = scratch + (get_group_id(0) * SPLIT + part) * N * N * (IN_PLANE + OUT_PLANE);
    __global float *products = inputs + N * N * IN_PLANE;
    const int start = get_group_id(0) * RUN * BLOCK;
    for (int first = start; first < min(start + RUN * BLOCK, TILES); first += BLOCK) {
        const int tiles = min(BLOCK, TILES - first), padded = (tiles + PX - 1) / PX * PX;
        for (int each = own; each < ICB * padded; each += SHARE) {
            const int c = each / padded, t = each % padded;
            const int tile = min(first + t, TILES - 1), n = tile / (TILES_Y * TILES_X);
            const int iy = tile / TILES_X % TILES_Y * M - PAD_TOP, ix = tile % TILES_X * M - PAD_LEFT;
            const int xi = X_OFFSET + n * X_SN + c * X_SC + iy * X_SY + ix * X_SX;
            floatV d[N * N];
            if (iy >= 0 && ix >= 0 && iy + N <= IH && ix + N <= IW) {
                #pragma unroll
                for (int i = 0; i < N * N; ++i)
                    d[i] = LOADV_X(xi + i / N * X_SY + i % N * X_SX);
            } else {
                #pragma unroll
                for (int i = 0; i < N * N; ++i) {
                    const bool inside = iy + i / N >= 0 && iy + i / N < IH && ix + i % N >= 0 && ix + i % N < IW;
                    d[i] = inside ? LOADV_X(xi + i / N * X_SY + i % N * X_SX) : (floatV)0;
                }
            }
            #pragma unroll
            for (int i = 0; i < N; ++i)
                transform_input(d + i, N);
            #pragma unroll
            for (int i = 0; i < N; ++i)
                transform_input(d + i * N, 1);
            #pragma unroll
            for (int i = 0; i < N * N; ++i)
                vstore4(d[i], 0, inputs + i * IN_PLANE + (c * BLOCK + t) * V);
        }

        MEET;
        for (int each = own; each < N * N * GROUPS * (padded / PX); each += SHARE) {
            const int i = each / (padded / PX) / GROUPS, g = each / (padded / PX) % GROUPS, t = each % (padded / PX) * PX;
            floatV acc[OB][PX];
            #pragma unroll
            for (int b = 0; b < OB; ++b)
                #pragma unroll
                for (int p = 0; p < PX; ++p)
                    acc[b][p] = 0;
            int wi = ((part * N * N + i) * GROUPS + g) * ICB * V * OB * V;
            for (int c = 0; c < ICB; ++c) {
                __global const float *from = inputs + i * IN_PLANE + (c * BLOCK + t) * V;
#if AHEAD
                #pragma unroll
                for (int k = 0; k < AHEAD; ++k)
                    PREFETCH(w + (((part * N * N + i) * GROUPS + g + 1) * ICB * V * OB + (t / PX * ICB + c) * AHEAD + k) * V);
#endif
                __attribute__((opencl_unroll_hint(UNROLL)))
                for (int lane = 0; lane < V; ++lane, wi += OB * V) {
                    floatV wv[OB];
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        wv[b] = LOADV_W(wi + b * V);
                    #pragma unroll
                    for (int p = 0; p < PX; ++p) {
                        const floatV xv = from[p * V + lane];
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
                    vstore4(acc[b][p], 0, products + i * OUT_PLANE + ((g * OB + b) * BLOCK + t + p) * V);
        }

        MEET;
        for (int each = own; each < min(GROUPS * OB, OCB - part * GROUPS * OB) * tiles; each += SHARE) {
            const int b = each / tiles, t = each % tiles;
            const int n = (first + t) / (TILES_Y * TILES_X);
            const int oy = (first + t) / TILES_X % TILES_Y * M, ox = (first + t) % TILES_X * M;
            floatV d[N * N], half_way[M * N], result[M * M];
            #pragma unroll
            for (int i = 0; i < N * N; ++i)
                d[i] = vload4(0, products + i * OUT_PLANE + (b * BLOCK + t) * V);
            #pragma unroll
            for (int i = 0; i < N; ++i)
                transform_output(d + i, N, half_way + i, N);
            #pragma unroll
            for (int i = 0; i < M; ++i)
                transform_output(half_way + i * N, 1, result + i * M, 1);
            for (int i = 0; i < min(M, OH - oy); ++i)
                for (int j = 0; j < min(M, OW - ox); ++j) {
                    const floatV v = result[i * M + j];
                    {
    const float4 t0 = vload4(0, e0 + ((part * GROUPS * OB + b)) * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (((part * GROUPS * OB + b)) * 4 + 4 <= 33 ? vload4(0, e1 + ((oy + i)) * 363 + ((ox + j)) * 33 + (((part * GROUPS * OB + b)) * 4)) : (float4)((((part * GROUPS * OB + b)) * 4 + 0 < 33 ? e1[((oy + i)) * 363 + ((ox + j)) * 33 + ((((part * GROUPS * OB + b)) * 4 + 0))] : 0), (((part * GROUPS * OB + b)) * 4 + 1 < 33 ? e1[((oy + i)) * 363 + ((ox + j)) * 33 + ((((part * GROUPS * OB + b)) * 4 + 1))] : 0), (((part * GROUPS * OB + b)) * 4 + 2 < 33 ? e1[((oy + i)) * 363 + ((ox + j)) * 33 + ((((part * GROUPS * OB + b)) * 4 + 2))] : 0), (((part * GROUPS * OB + b)) * 4 + 3 < 33 ? e1[((oy + i)) * 363 + ((ox + j)) * 33 + ((((part * GROUPS * OB + b)) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(33 - (((part * GROUPS * OB + b)) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + ((oy + i)) * 44 + ((ox + j)) * 4 + ((part * GROUPS * OB + b)) * 396);
}
                }
        }
    }
}
