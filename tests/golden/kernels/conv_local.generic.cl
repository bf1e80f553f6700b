// Dense KY x KX convolution as a product of matrices whose tiles a work-group keeps in local memory ("implicit GEMM").
// x, y: strided blocks of V channels; w: [OC / (GY * OB * V)][STEPS][V][GY * OB * V], a step being a block of input channels at one
// place of the window.
// A group computes GX * PX pixels x GY * OB blocks of V output channels: its work-items bring what DEPTH steps need, neighbours
// what neighbours in memory are, then each adds up the products of PX pixels, GX apart, and OB blocks.
#define V 4  // channels of a block
#define IC 17  // input channels
#define OCB 9  // blocks of output channels, ceil(OC / V)
#define IH 9  // input height
#define IW 11  // input width
#define OH 5  // output height
#define OW 6  // output width
#define KY 3  // kernel height
#define KX 3  // kernel width
#define STRIDE_Y 2
#define STRIDE_X 2
#define DILATION_Y 1
#define DILATION_X 1
#define PAD_TOP 1
#define PAD_LEFT 1
#define STEPS 45  // blocks of input channels * KY * KX
#define DEPTH 4  // steps that are in local memory at a time
#define GX 8  // work-items of a group along the pixels
#define GY 8  // along the blocks of output channels
#define PX 4  // tile of a work-item: pixels
#define OB 1  // blocks of output channels
#define PIXELS (GX * PX)  // tile of a group
#define BLOCKS (GY * OB)
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
#define Y_SN 1080
#define Y_SC 120
#define Y_SY 24
#define Y_SX 4

__attribute__((reqd_work_group_size(8, 8, 1)))
__kernel void conv_local_4d878410(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    __local floatV xs[DEPTH * PIXELS], ws[DEPTH * V * BLOCKS];
    const int px = get_local_id(0), ob = get_local_id(1), item = ob * GX + px;
    const int first = get_group_id(0) * PIXELS, blocks = get_group_id(1), n = get_global_id(2);
    floatV acc[OB][PX];
    #pragma unroll
    for (int b = 0; b < OB; ++b)
        #pragma unroll
        for (int p = 0; p < PX; ++p)
            acc[b][p] = 0;

    for (int step = 0; step < STEPS; step += DEPTH) {
        #pragma unroll
        for (int i = item; i < DEPTH * PIXELS; i += GX * GY) {
            const int k = step + i / PIXELS, c = k / (KY * KX), ky = k / KX % KY, kx = k % KX;
            const int pixel = first + i % PIXELS;
            const int iy = pixel / OW * STRIDE_Y - PAD_TOP + ky * DILATION_Y, ix = pixel % OW * STRIDE_X - PAD_LEFT + kx * DILATION_X;
            const bool inside = k < STEPS && pixel < OH * OW && iy >= 0 && iy < IH && ix >= 0 && ix < IW;
            xs[i] = inside ? LOADV_X(X_OFFSET + n * X_SN + c * X_SC + iy * X_SY + ix * X_SX) : (floatV)0;
        }
        #pragma unroll
        for (int i = item; i < DEPTH * V * BLOCKS; i += GX * GY)
            ws[i] = step + i / (V * BLOCKS) < STEPS ? LOADV_W(((blocks * STEPS + step) * V * BLOCKS + i) * V) : (floatV)0;
        barrier(CLK_LOCAL_MEM_FENCE);

        for (int k = 0; k < DEPTH; ++k) {
            float own[PX][V];
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                vstore4(xs[k * PIXELS + p * GX + px], 0, own[p]);
            const int lanes = IC % V ? min(V, IC - (step + k) / (KY * KX) * V) : V;
            __attribute__((opencl_unroll_hint(V)))
            for (int lane = 0; lane < lanes; ++lane)
                #pragma unroll
                for (int b = 0; b < OB; ++b) {
                    const floatV wv = ws[(k * V + lane) * BLOCKS + ob * OB + b];
                    #pragma unroll
                    for (int p = 0; p < PX; ++p)
                        acc[b][p] = fma((floatV)own[p][lane], wv, acc[b][p]);
                }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    #pragma unroll
    for (int b = 0; b < OB; ++b)
        #pragma unroll
        for (int p = 0; p < PX; ++p) {
            const int pixel = first + p * GX + px, cb = blocks * BLOCKS + ob * OB + b;
            if (pixel < OH * OW && cb < OCB) {
                floatV v = acc[b][p];
                {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 33 ? vload4(0, e1 + ((pixel / OW)) * 198 + ((pixel % OW)) * 33 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 33 ? e1[((pixel / OW)) * 198 + ((pixel % OW)) * 33 + (((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 33 ? e1[((pixel / OW)) * 198 + ((pixel % OW)) * 33 + (((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 33 ? e1[((pixel / OW)) * 198 + ((pixel % OW)) * 33 + (((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 33 ? e1[((pixel / OW)) * 198 + ((pixel % OW)) * 33 + (((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(33 - ((cb) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + ((pixel / OW)) * 24 + ((pixel % OW)) * 4 + cb * 120);
}
            }
        }
}
