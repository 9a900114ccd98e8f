// The screen's one drawer: either what explains a sign or what the centre stands in, each as deep as one has gone.
import { computed, ref } from 'vue'
import type { Step } from '../centre/standing/steps'
import type { Depth } from './ExplainDrawer.vue'

const cut = <T>(steps: T[], to: number): T[] => (to < 0 ? [] : steps.slice(0, to + 1))

export function useDrawer() {
  const depth = ref<Depth[]>([])
  const steps = ref<Step[]>([])
  const open = computed(() => depth.value.length > 0 || steps.value.length > 0)

  function explain(one: Depth) {
    steps.value = []
    depth.value = [one]
  }
  function dive(area: string, name: string) {
    const last = depth.value.at(-1)
    if (last) depth.value = [...depth.value, { code: last.code, area, name: name || area }]
  }
  /** What is opened from the bar has the whole list above it; what is opened in the drawer lies one deeper. */
  function stand(one: Step) {
    depth.value = []
    steps.value = one.kind === 'standing' ? [one] : [{ kind: 'standing' }, one]
  }
  function step(one: Step) {
    steps.value = [...steps.value, one]
  }
  function back(to: number) {
    if (depth.value.length) depth.value = cut(depth.value, to)
    else steps.value = cut(steps.value, to)
  }
  const up = () => back(Math.max(depth.value.length, steps.value.length) - 2)
  return { depth, steps, open, explain, dive, stand, step, back, up }
}
