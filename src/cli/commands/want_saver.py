# After the code that builds the graph. If your Saver has a var_list, take its variables instead of global_variables().
import tensorflow as tf

rows = {}
for variable in tf.compat.v1.global_variables():
    part = variable._get_save_slice_info()  # A partitioned variable is saved as one.
    name, shape = (part.full_name, part.full_shape) if part else (variable.op.name, variable.shape.as_list())
    if None in shape:
        raise RuntimeError(f"{name} has the shape {shape}: the size of each dimension must be known")
    rows[name] = "\t".join([name.replace("\\", "\\\\"), variable.dtype.base_dtype.name, " ".join(map(str, shape))])
if not rows:
    raise RuntimeError("the graph has no variables: put these lines after the code that builds the model (TF1); for TF2: ckptfs want --checkpoint")
with open(FILE, "w") as table:
    print("name\tdtype\tshape", *rows.values(), sep="\n", file=table)
