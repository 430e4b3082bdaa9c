/**
 * What a container that is none says of itself: the same in every simulation and model.
 * It must stay as it is: it is part of what is told, and so of the simulator's committed hashes.
 * Nothing here is confined; whether a sandbox is, only the acceptance suites of real ones can say.
 */
export const confinement = {
  engine: "simulation",
  containerId: "c",
  user: "65534",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 1,
  pids: 1,
  cpus: 1
}
