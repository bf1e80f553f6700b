// The vector v of work-item i, a constant, of the sub-group (cl_intel_subgroups).
#define BROADCAST(v, i) (floatV)(sub_group_broadcast((v).s0, i), sub_group_broadcast((v).s1, i), sub_group_broadcast((v).s2, i), sub_group_broadcast((v).s3, i))
