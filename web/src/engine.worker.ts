/// The engine of the page, in a worker of its own: all decoding, embedding, ranking and training happen here.
import { expose } from 'comlink';
import { Engine } from './engine.ts';

expose(new Engine());
