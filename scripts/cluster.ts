/** `make cluster-up`, `make cluster-down`: the test cluster, for whoever wants to look around in it. */
import { Cluster } from '../test/cluster/cluster.ts';

const IMAGES = ['cccam-operator:test', 'haproxy:3.0'];
const cluster = new Cluster();
const begun = performance.now();

switch (process.argv[2]) {
  case 'up':
    await cluster.up();
    for (const image of IMAGES) await cluster.importImage(image);
    console.log(`a Kubernetes node is up after ${Math.round((performance.now() - begun) / 1_000)} s\n`);
    console.log(await cluster.kubectl('get', 'nodes', '-o', 'wide'));
    console.log(`  export KUBECONFIG=${cluster.kubeconfig}`);
    console.log('  helm install cccam charts/cccam-operator --namespace cccam-system --create-namespace --set image.tag=test');
    console.log('  make cluster-down     ends it and removes everything that it has left');
    break;
  case 'down':
    await cluster.down();
    break;
  default:
    throw new Error('expected up or down');
}
