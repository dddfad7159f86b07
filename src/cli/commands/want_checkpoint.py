# In place of checkpoint.restore(…), where the model and the optimizer are built. `checkpoint` is your tf.train.Checkpoint.
import tensorflow as tf

parts = {name: part for name, part in vars(checkpoint).items() if hasattr(part, "built") and not name.startswith("_")}
unbuilt = [name for name, part in parts.items() if not part.built]
if unbuilt:
    raise RuntimeError(f"not built: {', '.join(unbuilt)}. Call the model once, as in model(x); optimizer.build(model.trainable_variables)")
checkpoint.save_counter  # WANT must have it, as a file of checkpoint.save() has.
wanted = checkpoint.write(FILE)
saved = [name for name, _ in tf.train.list_variables(wanted) if name.endswith("/VARIABLE_VALUE")]
weights = {id(weight) for part in parts.values() for weight in getattr(part, "weights", [])}
if len(saved) <= max(len(weights), 1):  # One of them is the save_counter.
    tf.io.gfile.remove(wanted + ".index")
    raise RuntimeError(f"tf.train.Checkpoint saves {len(saved) - 1} of {len(weights)} weights: the model is not built, or it has layers in a list. For those: ckptfs want --keras")
