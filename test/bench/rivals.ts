import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { probeServer } from '../../src/haproxy/greeting.ts';
import { readProcesses } from '../../src/haproxy/readback.ts';
import { reload } from '../../src/haproxy/reload.ts';
import { isAlive } from '../../src/haproxy/supervisor.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { SimulatedServer } from '../../src/simulate/server.ts';
import { until } from '../support/until.ts';

/** A server as the rivals configure it. */
export interface RivalServer {
  readonly server: SimulatedServer;
  readonly weight: number;
}

/** Something that balances, and that is changed by writing its file and reloading it. */
export interface Rival {
  readonly name: string;
  readonly port: number;
  apply(servers: readonly RivalServer[]): Promise<void>;
  /** Pid of the process that carries the sessions; null where there are several. */
  worker(): Promise<number | null>;
  stop(): Promise<void>;
}

/**
 * The file of the guide, with what it needs to parse at all: whole weights, and checks on each server's own port.
 *
 * @param redispatch the one line that the guide lacks
 */
export async function guideHaproxy(binary: string, port: number, redispatch: boolean): Promise<Rival> {
  const folder = await mkdtemp('/tmp/ccp-');
  const config = join(folder, 'haproxy.cfg');
  const master = join(folder, 'master.sock');
  let child: ChildProcess | undefined;
  const text = (servers: readonly RivalServer[]): string =>
    [
      'global',
      '  maxconn 9000',
      `  stats socket ${join(folder, 'admin.sock')} mode 660 level admin expose-fd listeners`,
      'defaults',
      '  mode tcp',
      '  maxconn 9000',
      '  timeout connect 10s',
      '  timeout client 300s',
      '  timeout server 300s',
      ...(redispatch ? ['  option redispatch'] : []),
      'frontend cccam_in',
      `  bind 127.0.0.1:${port}`,
      '  default_backend cccam_servers',
      'backend cccam_servers',
      '  balance leastconn',
      '  option tcp-check',
      '  tcp-check connect',
      ...servers.map(
        ({ server, weight }) =>
          `  server ${server.label} ${server.host}:${server.port} check inter 10s fall 3 rise 2 weight ${weight} maxconn 6000`,
      ),
      '',
    ].join('\n');
  return {
    name: redispatch ? 'guide + redispatch' : 'guide',
    port,
    async apply(servers) {
      await writeFile(config, text(servers));
      if (child !== undefined) {
        await reload({ runtime: '', master }, systemClock, new AbortController().signal);
        return;
      }
      child = spawn(binary, ['-W', '-S', master, '-f', config], { stdio: 'ignore' });
      await until('the rival is up', async () => (await readProcesses({ runtime: '', master }).catch(() => null))?.currentPid != null);
    },
    worker: async () => (await readProcesses({ runtime: '', master })).currentPid,
    async stop() {
      const processes = await readProcesses({ runtime: '', master }).catch(() => null);
      child?.kill('SIGKILL');
      for (const pid of [processes?.currentPid, ...(processes?.oldPids ?? [])])
        if (pid != null && isAlive(pid)) process.kill(pid, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the guide means by its nginx file: `stream`, least_conn, passive checks. */
export async function guideNginx(port: number): Promise<Rival> {
  const folder = await mkdtemp('/tmp/ccp-');
  const config = join(folder, 'nginx.conf');
  const modules = execFileSync('sh', ['-c', 'dpkg -L libnginx-mod-stream | grep "\\.so$"'], { encoding: 'utf8' }).trim();
  let child: ChildProcess | undefined;
  return {
    name: 'nginx stream',
    port,
    async apply(servers) {
      const lines = servers.map(
        ({ server, weight }) => `    server ${server.host}:${server.port} weight=${weight} max_fails=3 fail_timeout=30s;`,
      );
      await writeFile(
        config,
        `load_module ${modules};\nworker_processes auto;\nworker_rlimit_nofile 20000;\ndaemon off;\npid ${folder}/nginx.pid;\nerror_log ${folder}/error.log;\nevents { worker_connections 9000; }\nstream {\n  upstream cccam_backends {\n    least_conn;\n${lines.join('\n')}\n  }\n  server {\n    listen 127.0.0.1:${port};\n    proxy_pass cccam_backends;\n    proxy_connect_timeout 10s;\n    proxy_timeout 300s;\n  }\n}\n`,
      );
      if (child !== undefined) {
        child.kill('SIGHUP');
        return;
      }
      child = spawn('/usr/sbin/nginx', ['-c', config, '-p', folder], { stdio: 'ignore' });
      await until('nginx listens', async () => await accepts(port));
    },
    worker: async () => null,
    async stop() {
      const gone = child;
      if (gone !== undefined && gone.exitCode === null) {
        const ended = new Promise((resolve) => gone.once('exit', resolve));
        gone.kill('SIGTERM');
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Whether somebody takes connections on a port of 127.0.0.1. */
async function accepts(port: number): Promise<boolean> {
  return (await probeServer({ address: '127.0.0.1', port, probe: 'connect', timeoutMs: 200 })).kind === 'greeted';
}
