import click
@click.command('keys')
def keys(): pass
place=orders=keys
