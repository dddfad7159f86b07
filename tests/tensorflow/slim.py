"""The variables of slim's resnet_v1_50, _101 and _152: names and shapes."""

UNITS = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}


def shapes(depth, width=64, classes=1000):
    """Returns the shape of every variable, by name. `width` is that of the first convolution."""
    scope = f"resnet_v1_{depth}"
    found = {f"{scope}/conv1/weights": [7, 7, 3, width], **norm(f"{scope}/conv1", width), f"{scope}/mean_rgb": [3]}
    before = width
    for block, units in enumerate(UNITS[depth], 1):
        inner = width * 2 ** (block - 1)
        for unit in range(1, units + 1):
            at = f"{scope}/block{block}/unit_{unit}/bottleneck_v1"
            if unit == 1:
                found |= conv(f"{at}/shortcut", 1, before, 4 * inner)
            found |= conv(f"{at}/conv1", 1, before, inner) | conv(f"{at}/conv2", 3, inner, inner) | conv(f"{at}/conv3", 1, inner, 4 * inner)
            before = 4 * inner
    return found | {f"{scope}/logits/weights": [1, 1, before, classes], f"{scope}/logits/biases": [classes]}


def conv(scope, size, rows, columns):
    return {f"{scope}/weights": [size, size, rows, columns], **norm(scope, columns)}


def norm(scope, size):
    return {f"{scope}/BatchNorm/{leaf}": [size] for leaf in ("gamma", "beta", "moving_mean", "moving_variance")}
