// ResNet50 against PyTorch's golden values (README.md).
import { networkSuite } from './network-suite.ts';

await networkSuite('resnet50');
