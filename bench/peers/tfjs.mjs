/**
 * TensorFlow.js on its WebGPU backend: NHWC, in the fastest forms that its public API allows.
 *
 *   node bench/peers/tfjs.mjs --work train --batch 16 --size 64
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
  permute,
} from './resnet50.mjs';
import { installWebGPU, readOptions, serve } from './worker.mjs';

const { work, batch, size } = readOptions();
const adapter = await installWebGPU();
// The backend draws a dummy canvas for profilers; nothing here is drawn.
globalThis.document = { createElement: () => ({}), body: { appendChild() {} } };
const tf = await import('@tensorflow/tfjs');
await import('@tensorflow/tfjs-backend-webgpu');
if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs: the webgpu backend did not start');

const nhwc = (values, shape) =>
  tf.tensor4d(
    permute(values, shape, [0, 2, 3, 1]),
    [0, 2, 3, 1].map((axis) => shape[axis]),
  );
const hwio = (values, shape) =>
  tf.tensor4d(
    permute(values, shape, [2, 3, 1, 0]),
    [2, 3, 1, 0].map((axis) => shape[axis]),
  );

const input = nhwc(images(batch, size), [batch, 3, size, size]);
await serve(adapter, work === 'train' ? trainer() : inferrer());

/** @returns {() => Promise<{ loss: number }>} one step of training */
function trainer() {
  const parameters = initialParameters().map(({ name, shape, values }) => {
    const value =
      shape.length === 4
        ? hwio(values, shape)
        : shape.length === 2
          ? tf.tensor2d(permute(values, shape, [1, 0]), [shape[1], shape[0]])
          : tf.tensor1d(values);
    return variable(value, true, name);
  });
  const velocities = parameters.map((parameter) => variable(tf.zerosLike(parameter), false));
  const runningMeans = CONVOLUTIONS.map(({ output }) => variable(tf.zeros([output]), false));
  const runningVariances = CONVOLUTIONS.map(({ output }) => variable(tf.ones([output]), false));
  const target = tf.oneHot(tf.tensor1d(labels(batch), 'int32'), CLASSES, 1, 0, 'float32');

  /**
   * Batch norm with the statistics of the batch. tfjs would derive the gradient op by op, through the mean and the
   * variance as well; this closed form (Ioffe and Szegedy 2015, section 3, simplified) takes fewer passes.
   */
  const batchNorm = (x, scale, bias, index) => {
    const count = x.size / x.shape[3];
    return tf.customGrad((x, scale, bias, save) => {
      const mean = tf.div(perChannelSum(x), count);
      const variance = tf.div(perChannelSum(tf.squaredDifference(x, mean)), count);
      moveTowards(runningMeans[index], mean);
      moveTowards(runningVariances[index], tf.mul(variance, count / (count - 1)));
      save([x, scale, mean, variance]);
      const value = tf.batchNorm(x, mean, variance, bias, scale, BATCH_NORM_EPSILON);
      const gradFunc = (dy, [x, scale, mean, variance]) => {
        const normalised = tf.batchNorm(x, mean, variance, undefined, undefined, BATCH_NORM_EPSILON);
        const dBias = perChannelSum(dy);
        const dScale = perChannelSum(tf.mul(dy, normalised));
        const slope = tf.mul(scale, tf.rsqrt(tf.add(variance, BATCH_NORM_EPSILON)));
        const correction = tf.batchNorm(
          x,
          mean,
          variance,
          tf.div(tf.mul(slope, dBias), -count),
          tf.div(tf.mul(slope, dScale), -count),
          BATCH_NORM_EPSILON,
        );
        return [tf.add(tf.mul(dy, slope), correction), dScale, dBias];
      };
      return { value, gradFunc };
    })(x, scale, bias);
  };

  /** running += momentum * (statistic - running) */
  const moveTowards = (running, statistic) => {
    running.assign(tf.add(tf.mul(running, 1 - BATCH_NORM_MOMENTUM), tf.mul(statistic, BATCH_NORM_MOMENTUM)));
  };

  const convolve = (x, { position, index, input, output, kernel, stride, padding }) => {
    const [filter, scale, bias] = parameters.slice(position, position + 3);
    // tfjs computes the filter gradient of conv2d with one thread a weight; that of matMul is tiled.
    const y =
      kernel === 1 && stride === 1
        ? tf.reshape(tf.matMul(tf.reshape(x, [-1, input]), tf.reshape(filter, [input, output])), [
            ...x.shape.slice(0, 3),
            output,
          ])
        : tf.conv2d(x, filter, stride, padding);
    return batchNorm(y, scale, bias, index);
  };

  const meanLoss = () => {
    let x = tf.relu(convolve(input, RESNET50.stem));
    x = tf.maxPool(x, 3, 2, 1);
    for (const {
      main: [reduce, spatial, expand],
      downsample,
    } of RESNET50.blocks) {
      const shortcut = downsample ? convolve(x, downsample) : x;
      let y = tf.relu(convolve(x, reduce));
      y = tf.relu(convolve(y, spatial));
      x = tf.relu(tf.add(convolve(y, expand), shortcut));
    }
    const features = tf.mean(x, [1, 2]);
    const [weight, bias] = parameters.slice(RESNET50.fc);
    return tf.losses.softmaxCrossEntropy(target, tf.add(tf.matMul(features, weight), bias));
  };

  return async () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(meanLoss, parameters);
      parameters.forEach((parameter, index) => {
        const velocity = velocities[index];
        velocity.assign(tf.addN([tf.mul(velocity, MOMENTUM), grads[parameter.name], tf.mul(parameter, WEIGHT_DECAY)]));
        parameter.assign(tf.sub(parameter, tf.mul(velocity, LEARNING_RATE)));
      });
      return value;
    });
    const [value] = await loss.data();
    loss.dispose();
    return { loss: value };
  };
}

/** A variable that alone holds its initial value, so that the first update frees it. */
function variable(value, trainable, name) {
  const result = tf.variable(value, trainable, name);
  value.dispose();
  return result;
}

/** NHWC -> C */
function perChannelSum(x) {
  return tf.sum(x, [0, 1, 2]);
}

/** @returns {() => Promise<{ logits: Float32Array }>} one inference */
function inferrer() {
  const { convolutions, fc } = foldedParameters();
  const weights = CONVOLUTIONS.map(({ index, input, output, kernel }) => ({
    filter: hwio(convolutions[index].weight, [output, input, kernel, kernel]),
    bias: tf.tensor1d(convolutions[index].bias),
  }));
  const fcWeight = tf.tensor2d(permute(fc.weight, [CLASSES, 2048], [1, 0]), [2048, CLASSES]);
  const fcBias = tf.tensor1d(fc.bias);

  const convolve = (x, { index, stride, padding }, activation) =>
    tf.fused.conv2d({ x, ...weights[index], strides: stride, pad: padding, activation });

  return async () => {
    const logits = tf.tidy(() => {
      let x = tf.maxPool(convolve(input, RESNET50.stem, 'relu'), 3, 2, 1);
      for (const {
        main: [reduce, spatial, expand],
        downsample,
      } of RESNET50.blocks) {
        const shortcut = downsample ? convolve(x, downsample, 'linear') : x;
        const y = convolve(convolve(x, reduce, 'relu'), spatial, 'relu');
        x = tf.relu(tf.add(convolve(y, expand, 'linear'), shortcut));
      }
      return tf.fused.matMul({ a: tf.mean(x, [1, 2]), b: fcWeight, bias: fcBias });
    });
    const values = await logits.data();
    logits.dispose();
    return { logits: values };
  };
}
