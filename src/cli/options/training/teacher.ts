/** Options of the teacher whose knowledge is preserved. */
import { choice, integer, number, text } from '../kinds.ts';
import { setting } from '../setting.ts';

export const TEACHER_OPTIONS = {
  teacherMode: setting(
    'teacher.kind',
    choice(['class-oriented', 'online'], {
      help: "Use the teacher's knowledge of each class, prepared once, or run the teacher on the images of every step",
    }),
  ),
  teacher: text({
    placeholder: 'file',
    help: "The teacher's weights, if not --weights: a classifier, or a model trained by sketchgrad",
  }),
  knowledge: text({
    placeholder: 'file',
    help: "The teacher's knowledge of each class, from sketchgrad distill",
  }),
  teacherMean: setting(
    'teacher.reading.mean',
    choice(['softmax', 'logits'], {
      help: "The teacher's output that is averaged over the photos of a class: softmax or logits",
    }),
  ),
  teacherTemperature: setting(
    'teacher.reading.temperature',
    number({
      above: 0,
      help: "Divisor of the teacher's logits",
    }),
  ),
  teacherPhotos: setting(
    'teacher.photosPerClass',
    integer({
      minimum: 0,
      help: 'Photos of each class for the teacher, drawn by the seed; 0 for all',
    }),
  ),
} as const;
