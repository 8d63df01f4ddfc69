/** Options of the teacher whose knowledge is preserved. */
import { choice, integer, number, text } from '../kinds.ts';
import { setting } from '../setting.ts';

export const TEACHER_OPTIONS = {
  teacherMode: setting(
    'teacher.kind',
    choice(['class-oriented', 'online'], {
      help: "The teacher's knowledge of each class, prepared once, or the teacher itself on the images of every step",
    }),
  ),
  teacher: text({
    placeholder: 'file',
    help: "The teacher's weights, where they are not --weights: a classifier's, or a model that was trained here",
  }),
  knowledge: text({
    placeholder: 'file',
    help: 'The knowledge of each class that sketchgrad distill prepared; the teacher need not be asked again',
  }),
  teacherMean: setting(
    'teacher.reading.mean',
    choice(['softmax', 'logits'], {
      help: "What is averaged over a class's photos: the teacher's softmax, or its logits",
    }),
  ),
  teacherTemperature: setting(
    'teacher.reading.temperature',
    number({
      above: 0,
      help: "Divides the teacher's logits",
    }),
  ),
  teacherPhotos: setting(
    'teacher.photosPerClass',
    integer({
      minimum: 0,
      help: 'Photos of each class that the teacher sees, drawn by the seed; 0 for all',
    }),
  ),
} as const;
