/**
 * jax-js on its WebGPU backend: NCHW (the one layout its convolution takes), the whole unit of work under one jit().
 *
 *   node bench/peers/jax-js.mjs --work train --batch 16 --size 64
 *
 * jax-js frees by ownership: a function consumes its array arguments, and x.ref hands out one more use of x.
 */
import {
  BATCH_NORM_EPSILON,
  BATCH_NORM_MOMENTUM,
  CLASSES,
  CONVOLUTIONS,
  LEARNING_RATE,
  MOMENTUM,
  RESNET50,
  WEIGHT_DECAY,
  foldedParameters,
  images,
  initialParameters,
  labels,
} from './resnet50.mjs';
import { installWebGPU, readOptions, serve } from './worker.mjs';

const { work, batch, size } = readOptions();
const adapter = await installWebGPU();
const { defaultDevice, init, jit, lax, nn, numpy: np, valueAndGrad } = await import('@jax-js/jax');
await init('webgpu');
defaultDevice('webgpu');

const input = np.array(images(batch, size), { shape: [batch, 3, size, size] });
await serve(adapter, work === 'train' ? trainer() : inferrer());

function convolve(x, weight, { stride, padding }) {
  return lax.conv(
    x,
    weight,
    [stride, stride],
    [
      [padding, padding],
      [padding, padding],
    ],
  );
}

/** C -> 1C11 */
function perChannel(x) {
  return x.reshape([1, -1, 1, 1]);
}

/** 3x3, stride 2. Its input is never negative, so that padding with zeros serves as well as with minus infinity. */
function maxPool(x) {
  const padded = np.pad(x, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
  ]);
  return lax.reduceWindow(padded, np.max, [3, 3], [2, 2]);
}

/** @returns {() => Promise<{ loss: number }>} one step of training */
function trainer() {
  let parameters = initialParameters().map(({ shape, values }) => np.array(values, { shape }));
  let velocities = parameters.map(({ shape }) => np.zeros(shape));
  let running = CONVOLUTIONS.map(({ output }) => ({ mean: np.zeros([output]), variance: np.ones([output]) }));
  const target = nn.oneHot(np.array(labels(batch), { dtype: np.int32 }), CLASSES);

  /** Convolution and batch norm with the statistics of the batch, which it appends to statistics. */
  const convolveAndNormalise = (x, convolution, parameters, statistics) => {
    const [weight, scale, bias] = parameters.slice(convolution.position, convolution.position + 3);
    const y = convolve(x, weight, convolution);
    const count = y.size / y.shape[1];
    const mean = np.mean(y.ref, [0, 2, 3], { keepdims: true });
    const centred = y.sub(mean.ref);
    const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
    statistics[convolution.index] = {
      mean: lax.stopGradient(mean.reshape([-1])),
      variance: lax.stopGradient(variance.ref.reshape([-1]).mul(count / (count - 1))),
    };
    const slope = np.reciprocal(np.sqrt(variance.add(BATCH_NORM_EPSILON))).mul(perChannel(scale));
    return centred.mul(slope).add(perChannel(bias));
  };

  const meanLoss = (parameters, input, target) => {
    const statistics = [];
    const layer = (x, convolution) => convolveAndNormalise(x, convolution, parameters, statistics);
    let x = maxPool(nn.relu(layer(input, RESNET50.stem)));
    for (const {
      main: [reduce, spatial, expand],
      downsample,
    } of RESNET50.blocks) {
      const shortcut = downsample ? layer(x.ref, downsample) : x.ref;
      let y = nn.relu(layer(x, reduce));
      y = nn.relu(layer(y, spatial));
      x = nn.relu(layer(y, expand).add(shortcut));
    }
    const features = np.mean(x, [2, 3]);
    const [weight, bias] = parameters.slice(RESNET50.fc);
    const logits = np.matmul(features, weight.transpose()).add(bias);
    const loss = nn
      .logSoftmax(logits, -1)
      .mul(target)
      .sum()
      .mul(-1 / batch);
    return [loss, statistics];
  };

  const step = jit((parameters, velocities, running, input, target) => {
    const [[loss, statistics], gradients] = valueAndGrad(meanLoss, { hasAux: true })(
      parameters.map((parameter) => parameter.ref),
      input,
      target,
    );
    const nextVelocities = parameters.map((parameter, index) =>
      velocities[index].mul(MOMENTUM).add(gradients[index]).add(parameter.ref.mul(WEIGHT_DECAY)),
    );
    const nextParameters = parameters.map((parameter, index) =>
      parameter.sub(nextVelocities[index].ref.mul(LEARNING_RATE)),
    );
    const nextRunning = running.map(({ mean, variance }, index) => ({
      mean: moveTowards(mean, statistics[index].mean),
      variance: moveTowards(variance, statistics[index].variance),
    }));
    return { loss, parameters: nextParameters, velocities: nextVelocities, running: nextRunning };
  });

  return async () => {
    const result = step(parameters, velocities, running, input.ref, target.ref);
    ({ parameters, velocities, running } = result);
    // All outputs of a jitted call are submitted together, so the loss arrives only after the new weights exist.
    const [loss] = await result.loss.data();
    return { loss };
  };
}

/** One step of an exponential moving average. */
function moveTowards(running, statistic) {
  return running.mul(1 - BATCH_NORM_MOMENTUM).add(statistic.mul(BATCH_NORM_MOMENTUM));
}

/** @returns {() => Promise<{ logits: Float32Array }>} one inference */
function inferrer() {
  const { convolutions, fc } = foldedParameters();
  const weights = CONVOLUTIONS.map(({ index, input, output, kernel }) => ({
    weight: np.array(convolutions[index].weight, { shape: [output, input, kernel, kernel] }),
    bias: np.array(convolutions[index].bias),
  }));
  const head = { weight: np.array(fc.weight, { shape: [CLASSES, 2048] }), bias: np.array(fc.bias) };

  const network = jit((weights, head, input) => {
    const layer = (x, convolution) => {
      const { weight, bias } = weights[convolution.index];
      return convolve(x, weight, convolution).add(perChannel(bias));
    };
    let x = maxPool(nn.relu(layer(input, RESNET50.stem)));
    for (const {
      main: [reduce, spatial, expand],
      downsample,
    } of RESNET50.blocks) {
      const shortcut = downsample ? layer(x.ref, downsample) : x.ref;
      const y = nn.relu(layer(nn.relu(layer(x, reduce)), spatial));
      x = nn.relu(layer(y, expand).add(shortcut));
    }
    return np.matmul(np.mean(x, [2, 3]), head.weight.transpose()).add(head.bias);
  });

  const borrow = ({ weight, bias }) => ({ weight: weight.ref, bias: bias.ref });
  return async () => {
    const logits = network(weights.map(borrow), borrow(head), input.ref);
    return { logits: await logits.data() };
  };
}
