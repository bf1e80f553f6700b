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

// Direct KY x KX convolution, dense or grouped, register-tiled.
// x, y: strided blocks of V channels; w: [OC / (OB * V)][BAND][KY][KX][V][OB * V]: a tile of output channels reads the band
// of input channels that its groups see, with zeros where a group does not see a channel of the band.
// One work-item computes TY rows x TX pixels x OB blocks of V output channels. Per block of input channels and kernel
// row it stages the input segments under the tile in private memory, zero outside the image, so the inner loops have no
// bounds. The last tiles are shifted back to end at the image's edge, and store only what their neighbours do not.
#define V 16  // channels of a block
#define IC 17  // input channels
#define OCB 3  // blocks of output channels, ceil(OC / V)
#define BAND 2  // blocks of input channels that a tile reads; all of them without groups
#define IPG 17  // input channels of a group
#define OPG 33  // output channels of a group
#define IH 9  // input height
#define IW 11  // input width
#define OH 9  // output height
#define OW 11  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 1
#define STRIDE_X 1
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 1
#define PAD_LEFT 1
#define TY 1  // tile: rows, at most OH
#define TX 1  // tile: pixels of a row, at most OW
#define OB 1  // tile: blocks of output channels
#define RUN 10  // tiles that a work-item computes, one after another
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 0  // vectors of the next tile of channels' weights, fetched with each row of a block of input channels
#define SEGMENT ((TX - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1)  // input pixels under a row of the tile
#define TILES_X ((OW + TX - 1) / TX)
#define TILES ((OH + TY - 1) / TY * TILES_X)
#define PAD_RIGHT ((OW - 1) * STRIDE_X + (KX - 1) * DILATION_X + 1 - PAD_LEFT - IW)
// Whether pixel i of a segment lies inside the image; only near the ends of the segment is there anything to test.
#define INSIDE(i) (((i) >= PAD_LEFT || ix + (i) >= 0) && ((i) < SEGMENT - PAD_RIGHT || ix + (i) < IW))
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

__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void conv_direct_e5390c86(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int tile_y = tile / TILES_X * TY, tile_x = tile % TILES_X * TX;
        const int oy = min(tile_y, OH - TY), ox = min(tile_x, OW - TX);
        const int ix = ox * STRIDE_X - PAD_LEFT;
        floatV acc[OB][TY][TX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int r = 0; r < TY; ++r)
                #pragma unroll
                for (int p = 0; p < TX; ++p)
                    acc[b][r][p] = 0;

        const int band = min(ob * OB * V / OPG * IPG / V, (IC + V - 1) / V - BAND) * V;
        for (int c = band; c < min(band + BAND * V, IC); c += V)
            for (int ky = 0; ky < KY; ++ky) {
                const int iy = oy * STRIDE_Y - PAD_TOP + ky * DILATION_Y;
                if (iy + (TY - 1) * STRIDE_Y < 0 || iy >= IH) continue;
                float segment[TY][SEGMENT][V];
                for (int r = 0; r < TY; ++r) {
                    const int row = iy + r * STRIDE_Y;
                    const int xi = X_OFFSET + n * X_SN + c / V * X_SC + row * X_SY;
                    for (int i = 0; i < SEGMENT; ++i) {
                        const bool inside = row >= 0 && row < IH && INSIDE(i);
                        const floatV xv = inside ? LOADV_X(xi + (ix + i) * X_SX) : (floatV)0;
                        vstore16(xv, 0, segment[r][i]);
                    }
                }
#if AHEAD
                const int step = (tile * BAND + (c - band) / V) * KY + ky;
                #pragma unroll
                for (int k = 0; k < AHEAD; ++k)
                    PREFETCH(w + (ob + 1) * BAND * KY * KX * V * OB * V + (step * AHEAD + k) * V);
#endif
                const int lanes = IC % V ? min(V, IC - c) : V;
                for (int kx = 0; kx < KX; ++kx) {
                    int wi = (((ob * BAND + (c - band) / V) * KY + ky) * KX + kx) * V * OB * V;
                    __attribute__((opencl_unroll_hint(UNROLL)))
                    for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                        floatV wv[OB];
                        #pragma unroll
                        for (int b = 0; b < OB; ++b)
                            wv[b] = LOADV_W(wi + b * V);
                        #pragma unroll
                        for (int r = 0; r < TY; ++r)
                            #pragma unroll
                            for (int p = 0; p < TX; ++p) {
                                const floatV xv = segment[r][p * STRIDE_X + kx * DILATION_X][lane];
                                #pragma unroll
                                for (int b = 0; b < OB; ++b)
                                    acc[b][r][p] = fma(xv, wv[b], acc[b][r][p]);
                            }
                    }
                }
            }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int r = 0; r < TY; ++r)
                #pragma unroll
                for (int p = 0; p < TX; ++p)
                    if (oy + r >= tile_y && ox + p >= tile_x && ob * OB + b < OCB) {
                        floatV v = acc[b][r][p];
                        {
    const float16 t0 = vload16(0, e0 + ((ob * OB + b)) * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (((ob * OB + b)) * 16 + 16 <= 33 ? vload16(0, e1 + ((oy + r)) * 363 + ((ox + p)) * 33 + (((ob * OB + b)) * 16)) : (float16)((((ob * OB + b)) * 16 + 0 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 0))] : 0), (((ob * OB + b)) * 16 + 1 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 1))] : 0), (((ob * OB + b)) * 16 + 2 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 2))] : 0), (((ob * OB + b)) * 16 + 3 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 3))] : 0), (((ob * OB + b)) * 16 + 4 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 4))] : 0), (((ob * OB + b)) * 16 + 5 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 5))] : 0), (((ob * OB + b)) * 16 + 6 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 6))] : 0), (((ob * OB + b)) * 16 + 7 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 7))] : 0), (((ob * OB + b)) * 16 + 8 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 8))] : 0), (((ob * OB + b)) * 16 + 9 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 9))] : 0), (((ob * OB + b)) * 16 + 10 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 10))] : 0), (((ob * OB + b)) * 16 + 11 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 11))] : 0), (((ob * OB + b)) * 16 + 12 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 12))] : 0), (((ob * OB + b)) * 16 + 13 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 13))] : 0), (((ob * OB + b)) * 16 + 14 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 14))] : 0), (((ob * OB + b)) * 16 + 15 < 33 ? e1[((oy + r)) * 363 + ((ox + p)) * 33 + ((((ob * OB + b)) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(33 - (((ob * OB + b)) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + ((oy + r)) * 176 + ((ox + p)) * 16 + ((ob * OB + b)) * 1584);
}
                    }
    }
}
