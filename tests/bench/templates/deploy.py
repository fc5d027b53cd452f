from pyinfra.operations import files

for item in range(1, 21):
    files.template(src="@SRC@/page.j2", dest=f"@OUT@/page-{item}", item=item)
