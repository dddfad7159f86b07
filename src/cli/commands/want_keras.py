# In place of model.load_weights(…), where the model is built. `model` is your model.
layers = [model]
for layer in layers:
    layers += getattr(layer, "layers", [])
if not model.built or not model.weights:
    raise RuntimeError(f"{model.name} is not built: call it once, as in model(x)")
unbuilt = [layer.name for layer in layers if not layer.built]
if unbuilt:
    print(f"not built, so without variables: {', '.join(unbuilt)}")
model.save_weights(FILE)
