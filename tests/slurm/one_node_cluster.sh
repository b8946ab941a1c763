#!/usr/bin/env bash
# A SLURM cluster of this machine alone, with one pretended GPU, for the tests.
#
#   one_node_cluster.sh start FOLDER    installs SLURM where it is missing, and starts it
#   one_node_cluster.sh stop FOLDER     ends what was started, and removes what was linked
#
# Exit status 77: no cluster is possible here; the last line gives the reason.
# SLURM and munge get a folder, a key, a socket and ports of their own. Only /etc/slurm is shared,
# because Snakemake's plugin keeps no SLURM_CONF: it is never touched on a node of a real cluster.
set -euo pipefail

action=$1
folder=$(mkdir -p "$2" && cd "$2" && pwd)
files=(slurm.conf gres.conf cgroup.conf)

unavailable() {
    echo "no SLURM here: $*"
    exit 77
}

runs() {
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2> /dev/null
}

install_slurm() {
    local program missing=
    for program in slurmctld slurmd munged sbatch; do
        command -v "$program" > /dev/null || missing=$program
    done
    [ -n "$missing" ] || return 0
    command -v apt-get > /dev/null || unavailable "$missing is not installed, and there is no apt-get"
    echo "Installing SLURM and munge"
    local log=$folder/apt.log
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy \
        --no-install-recommends slurm-wlm munge; } > "$log" 2>&1 ||
        unavailable "apt-get cannot install slurm-wlm and munge: $(tail -n 1 "$log")"
}

configure() {
    local host port
    host=$(hostname -s)
    port=$((20000 + RANDOM % 10000))
    # A file without a driver; jobs receive its number nevertheless.
    [ -e "$folder/gpu0" ] || mknod "$folder/gpu0" c 1 3 ||
        unavailable "no device file can be made"
    mkdir -p "$folder/state" "$folder/spool"
    cat > "$folder/slurm.conf" << CONF
ClusterName=blastfold
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# More cores and memory than there may be: what is tested is who waits for what.
SlurmdParameters=config_overrides
GresTypes=gpu
MinJobAge=3600
ReturnToService=2
KillWait=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=32 RealMemory=128000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$host MaxTime=INFINITE State=UP
CONF
    echo "Name=gpu File=$folder/gpu0" > "$folder/gres.conf"
    printf '%s\n' ConstrainCores=no ConstrainRAMSpace=no ConstrainDevices=no \
        CgroupAutomount=no > "$folder/cgroup.conf"
}

link_configuration() {
    mkdir -p /etc/slurm
    local name target
    for name in "${files[@]}"; do
        target=/etc/slurm/$name
        # Left by a run of this test that was killed together with its cluster.
        if [ -L "$target" ] && ! runs "$(dirname "$(readlink "$target")")/slurmctld.pid"; then
            rm "$target"
        fi
        [ -e "$target" ] && [ "$(readlink -f "$target")" != "$folder/$name" ] &&
            unavailable "$target belongs to another cluster, or to another run of this test"
        ln -sfn "$folder/$name" "$target"
    done
}

start_daemons() {
    chmod 700 "$folder"
    [ -e "$folder/munge.key" ] || head -c 1024 /dev/urandom > "$folder/munge.key"
    chmod 400 "$folder/munge.key"
    munged --force --key-file "$folder/munge.key" --socket "$folder/munge.socket" \
        --pid-file "$folder/munged.pid" --log-file "$folder/munged.log" \
        --seed-file "$folder/munged.seed" 2> "$folder/munged.err"
    # Clients of any user reach the socket through the folder.
    chmod 711 "$folder"
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf"
}

wait_until_ready() {
    local deadline=$((SECONDS + 60))
    until sinfo --noheader --format=%T 2> /dev/null | grep -qx idle; do
        if [ $SECONDS -ge $deadline ]; then
            sinfo --long --Node || true
            tail -n 20 "$folder"/slurmctld.log "$folder"/slurmd.log
            echo "the node did not become idle within 60 s"
            exit 1
        fi
        sleep 0.2
    done
}

stop() {
    local name pid
    if runs "$folder/slurmctld.pid"; then scancel --user=root || true; fi
    for name in slurmd slurmctld munged; do
        [ -s "$folder/$name.pid" ] || continue
        pid=$(cat "$folder/$name.pid")
        kill "$pid" 2> /dev/null || continue
        while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
    done
    for name in "${files[@]}"; do
        if [ "$(readlink "/etc/slurm/$name" || true)" = "$folder/$name" ]; then
            rm "/etc/slurm/$name"
        fi
    done
}

case $action in
    start)
        [ "$(id -u)" = 0 ] || unavailable "starting it takes root"
        install_slurm
        configure
        link_configuration
        start_daemons
        wait_until_ready
        ;;
    stop) stop ;;
    *)
        echo "usage: $0 start|stop FOLDER"
        exit 2
        ;;
esac
