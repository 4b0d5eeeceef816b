{
  description = "Fetches the files that coding agents read, pins them in a lock file, and writes them where each tool looks";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEach = make:
        builtins.listToAttrs (map (name: { inherit name; value = make nixpkgs.legacyPackages.${name}; }) systems);
      packageFor = pkgs: pkgs.callPackage ./nix/package.nix { };
      program = pkgs: { type = "app"; program = "${packageFor pkgs}/bin/agent-sync"; };
      library = import ./nix/lib.nix;
      # In a shell made from here the program is this one, unless another is named.
      lib = library // {
        mkShell = arguments: library.mkShell ({ agent-sync = packageFor arguments.pkgs; } // arguments);
      };
    in
    {
      inherit lib;
      packages = forEach (pkgs: { default = packageFor pkgs; agent-sync = packageFor pkgs; });
      apps = forEach (pkgs: { default = program pkgs; agent-sync = program pkgs; });
      devShells = forEach (pkgs: { default = pkgs.mkShell { packages = [ pkgs.python3 pkgs.git pkgs.gnumake ]; }; });
      checks = forEach (pkgs: import ./nix/checks.nix { inherit lib pkgs; agent-sync = packageFor pkgs; });
      overlays.default = final: prev: { agent-sync = packageFor final; };
      homeModules.default = ./nix/home-manager.nix;
      templates.default = { path = ./nix/template; description = "Rules for coding agents in a development shell"; };
    };
}
