// PREFETCH(p): the line of memory at p will be wanted soon. OpenCL's own prefetch does nothing on the drivers for CPUs.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif
