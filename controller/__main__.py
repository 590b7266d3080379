from controller.cli.main import main

main(prog_name="ksnapshot")
