{
  description = "Rules for coding agents: locked, and written by a development shell";

  inputs.agent-sync.url = "git+https://git.example.com/agent-sync"; # where your copy of agent-sync lies
  inputs.nixpkgs.follows = "agent-sync/nixpkgs";

  outputs = { agent-sync, nixpkgs, ... }: {
    devShells = builtins.mapAttrs (_: pkgs: {
      default = agent-sync.lib.mkShell {
        inherit pkgs;
        lockFile = ./agent-sync.lock;
        root = ./.;
        packages = [ pkgs.git ];
      };
    }) (builtins.intersectAttrs agent-sync.packages nixpkgs.legacyPackages);
  };
}
