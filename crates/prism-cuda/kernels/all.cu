/* All kernels, for weights and activations in bf16, or in f32 where F32 is defined. */
#include "prism.h"
#include "arguments.h"
#include "norm.cu"
#include "heads.cu"
#include "elementwise.cu"
#include "logits.cu"
#include "product.cu"
#include "attention.cu"
