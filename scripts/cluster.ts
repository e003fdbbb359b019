/** `make cluster-up`, `make cluster-down`: the test cluster, to look around in. */
import { readFile } from 'node:fs/promises';
import { TOOLS } from '../test/api-server/control-plane.ts';
import { Cluster } from '../test/cluster/cluster.ts';

const OURS = 'cccam-operator:test';
const IMAGES = [OURS, 'haproxy:3.0'];
const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
const cluster = new Cluster();
const begun = performance.now();

switch (process.argv[2]) {
  case 'up':
    await cluster.up();
    for (const image of IMAGES) await cluster.importImage(image);
    await cluster.tagImage(OURS, `cccam-operator:${version}`);
    console.log(`a Kubernetes node is up after ${Math.round((performance.now() - begun) / 1_000)} s\n`);
    console.log(await cluster.kubectl('get', 'nodes', '-o', 'wide'));
    console.log(`  export KUBECONFIG=${cluster.kubeconfig} PATH=$PATH:${TOOLS}`);
    console.log('  helm install cccam-operator charts/cccam-operator --namespace cccam-system --create-namespace --wait');
    console.log('  kubectl apply -f config/samples/cluster-quick-start.yaml');
    console.log('  kubectl wait --for=condition=Ready ccp/quick-start --timeout=2m');
    console.log('  make cluster-down     ends it and removes everything that it has left');
    break;
  case 'down':
    await cluster.down();
    break;
  default:
    throw new Error('expected up or down');
}
