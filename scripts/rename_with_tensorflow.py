"""What people run to rename variables: load everything, save it under new names.   SOURCE_PREFIX TARGET_PREFIX FROM TO"""

import os
import sys

os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import tensorflow as tf  # noqa: E402

source, target, old, new = sys.argv[1:]
reader = tf.train.load_checkpoint(source)
tensors = {}
for name in reader.get_variable_to_shape_map():
    tensors[new + name.removeprefix(old) if name.startswith(old) else name] = reader.get_tensor(name)
tf.raw_ops.SaveV2(
    prefix=target, tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=list(tensors.values())
)
