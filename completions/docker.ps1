# Completion of docker, docker-compose and hyperbox for PowerShell. Made by compat/generate.py.
#
# The words come from `PROGRAM __complete`: one candidate a line, a tab before its description, and last ":" with a directive
# (1 error, 2 no space behind, 4 no files, 8 files with these endings, 16 folders only).

$HyperBoxCompleter = {
    param($WordToComplete, $CommandAst, $CursorPosition)

    $words = @($CommandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $CursorPosition } | ForEach-Object { $_.ToString() })
    $program = $words[0]
    $before = @($words | Select-Object -Skip 1)
    if ($WordToComplete -ne '' -and $before.Count -gt 0) {
        $before = @($before | Select-Object -SkipLast 1)
    }
    $answer = @(& $program __complete @before "$WordToComplete" 2>$null)
    if ($answer.Count -eq 0) { return }
    $directive = 0
    if ($answer[-1] -like ':*') {
        $directive = [int]$answer[-1].Substring(1)
        $answer = @($answer | Select-Object -SkipLast 1)
    }
    if ($directive -band 1) { return }

    $prefix = ''
    $value = $WordToComplete
    if ($WordToComplete -match '^(-[^=]*=)(.*)$') {
        $prefix = $Matches[1]
        $value = $Matches[2]
    }
    if ($directive -band 24) { return }
    $space = if ($directive -band 2) { '' } else { ' ' }
    foreach ($line in $answer) {
        $name, $text = $line -split "`t", 2
        if (-not $text) { $text = $name }
        if ($name -like "$value*") {
            [System.Management.Automation.CompletionResult]::new("$prefix$name$space", $name, 'ParameterValue', $text)
        }
    }
}

Register-ArgumentCompleter -Native -CommandName 'docker' -ScriptBlock $HyperBoxCompleter
Register-ArgumentCompleter -Native -CommandName 'docker-compose' -ScriptBlock $HyperBoxCompleter
Register-ArgumentCompleter -Native -CommandName 'hyperbox' -ScriptBlock $HyperBoxCompleter
