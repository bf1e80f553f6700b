import sys

from .cli import Parser, guarded, main


def profile() -> None:
    from .profiler import add_profile_arguments, profile_plan

    parser = Parser("python -m planish.runtime profile", description="Tells where the time of a plan's run goes.")
    add_profile_arguments(parser)
    profile_plan(parser.parse_args(sys.argv[2:]))


sys.exit(guarded(profile) if sys.argv[1:2] == ["profile"] else main())
